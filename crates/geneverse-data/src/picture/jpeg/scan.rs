//! Scans: Huffman codes to coefficients, a block at a time or, in a progressive picture, bit by bit.

use super::transform::{ZIGZAG, inverse};
use super::{Frame, Result};

/// A Huffman code.
pub(super) struct Code {
    /// For each length the first code and the place of its symbol, less the code; and the code after the last.
    lengths: [(i32, i32); 17],
    symbols: Vec<u8>,
    /// For each 8 bits that a code of up to 8 bits begins: its length and symbol; length 0 for none.
    short: Vec<(u8, u8)>,
}

impl Code {
    /// Reads a code; how many bytes it takes.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, usize)> {
        let broken = || "a Huffman table that is cut off or impossible".to_owned();
        let counts = bytes.get(..16).ok_or_else(broken)?;
        let count: usize = counts.iter().map(|count| usize::from(*count)).sum();
        let symbols = bytes.get(16..16 + count).filter(|_| count <= 256).ok_or_else(broken)?.to_vec();
        let (mut lengths, mut short) = ([(0, 0); 17], vec![(0, 0); 256]);
        let (mut code, mut place) = (0i32, 0i32);
        for (before, of_length) in counts.iter().enumerate() {
            let (length, of_length) = (before + 1, i32::from(*of_length));
            if code + of_length > 1 << length {
                return Err(broken());
            }
            lengths[length] = (code + of_length, place - code);
            if length <= 8 {
                for number in 0..of_length {
                    let first = ((code + number) as usize) << (8 - length);
                    let symbol = symbols[(place + number) as usize];
                    short[first..first + (1 << (8 - length))].fill((length as u8, symbol));
                }
            }
            (code, place) = ((code + of_length) << 1, place + of_length);
        }
        Ok((Self { lengths, symbols, short }, 16 + count))
    }
}

/// A scan's header.
pub(super) struct Scan {
    pub(super) components: Vec<Member>,
    /// The coefficients that it is of.
    spectrum: (usize, usize),
    /// The bit that was known before, and the bit that is read.
    bits: (u32, u32),
}

/// A component of a scan, and the codes that it uses.
pub(super) struct Member {
    pub(super) component: usize,
    codes: [usize; 2],
}

impl Scan {
    pub(super) fn read(bytes: &[u8], frame: &Frame) -> Result<Self> {
        let broken = || "a scan header that is cut off or of no component".to_owned();
        let (count, rest) = bytes.split_first().ok_or_else(broken)?;
        let count = usize::from(*count);
        let (of_components, rest) = rest.split_at_checked(2 * count).ok_or_else(broken)?;
        let [first, last, bits, ..] = *rest else { return Err(broken()) };
        let member = |[id, codes]: &[u8; 2]| {
            let component = frame.components.iter().position(|component| component.id == *id)?;
            let codes = [usize::from(codes >> 4), usize::from(codes & 15)];
            codes.iter().all(|code| *code < 4).then_some(Member { component, codes })
        };
        let components: Option<Vec<Member>> = of_components.as_chunks::<2>().0.iter().map(member).collect();
        let components =
            components.filter(|members| !members.is_empty() && members.len() <= 4).ok_or_else(broken)?;
        let twice = |i: usize| components[..i].iter().any(|other| other.component == components[i].component);
        let (spectrum, bits) = match frame.progressive {
            true => ((usize::from(first), usize::from(last)), (u32::from(bits >> 4), u32::from(bits & 15))),
            false => ((0, 63), (0, 0)),
        };
        let fits = spectrum.0 <= spectrum.1 && spectrum.1 < 64 && bits.1 <= 13 && bits.0 <= 14;
        let alone = components.len() == 1 || spectrum.0 == 0;
        let apart = !frame.progressive || (spectrum.0 == 0) == (spectrum.1 == 0);
        if (0..components.len()).any(twice) || !fits || !alone || !apart {
            return Err("a scan that no picture can have".to_owned());
        }
        Ok(Self { components, spectrum, bits })
    }

    /// Reads a scan's data; how many bytes it takes.
    pub(super) fn decode(
        &self,
        bytes: &[u8],
        frame: &mut Frame,
        codes: &[[Option<Code>; 4]; 2],
        restart: usize,
    ) -> Result<usize> {
        let mut bits = Bits { bytes, at: 0, held: 0, count: 0 };
        let mut state = State { before: [0; 4], zeros: 0 };
        // Where there is one component, its own blocks are the units.
        let units = match &self.components[..] {
            [one] => {
                let (width, height) = frame.components[one.component].size;
                (width.div_ceil(8), height.div_ceil(8))
            }
            _ => (frame.width.div_ceil(8 * frame.most.0), frame.height.div_ceil(8 * frame.most.1)),
        };
        for unit in 0..units.0 * units.1 {
            if restart > 0 && unit > 0 && unit.is_multiple_of(restart) {
                bits.restart()?;
                state = State { before: [0; 4], zeros: 0 };
            }
            for (number, member) in self.components.iter().enumerate() {
                let component = &frame.components[member.component];
                let (across, down) = if self.components.len() == 1 { (1, 1) } else { component.sampling };
                for block in 0..across * down {
                    let column = unit % units.0 * across + block % across;
                    let row = unit / units.0 * down + block / across;
                    self.block(frame, member, (row, column), &mut bits, (codes, &mut state, number))?;
                }
            }
        }
        Ok(bits.end())
    }

    fn block(
        &self,
        frame: &mut Frame,
        member: &Member,
        (row, column): (usize, usize),
        bits: &mut Bits<'_>,
        (codes, state, number): (&[[Option<Code>; 4]; 2], &mut State, usize),
    ) -> Result<()> {
        let missing = || "a Huffman table is missing".to_owned();
        let code = |kind: usize| codes[kind][member.codes[kind]].as_ref().ok_or_else(missing);
        let component = &mut frame.components[member.component];
        let place = row * component.blocks.0 + column;
        if !frame.progressive {
            let mut block = [0i16; 64];
            let difference = bits.difference(code(0)?)?;
            state.before[number] = state.before[number].wrapping_add(difference);
            block[0] = state.before[number] as i16;
            let code = code(1)?;
            let mut k = 1;
            while k < 64 {
                let symbol = bits.symbol(code)?;
                let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
                if size == 0 {
                    if run < 15 {
                        break;
                    }
                    k += 16;
                    continue;
                }
                k += run;
                let value = bits.signed(size)?;
                block[*ZIGZAG.get(k).ok_or("a block of more than 64 coefficients")?] = value as i16;
                k += 1;
            }
            let stride = 8 * component.blocks.0;
            if let Some(table) = &component.table {
                inverse(&block, table, &mut component.samples[row * 8 * stride + column * 8..], stride);
            }
            return Ok(());
        }
        let Some(block) = component.coefficients.get_mut(64 * place..64 * place + 64) else { return Ok(()) };
        let one = 1i32 << self.bits.1;
        match (self.spectrum.0, self.bits.0) {
            (0, 0) => {
                let difference = bits.difference(code(0)?)?;
                state.before[number] = state.before[number].wrapping_add(difference);
                block[0] = state.before[number].wrapping_shl(self.bits.1) as i16;
            }
            (0, _) => {
                if bits.take(1)? == 1 {
                    block[0] |= one as i16;
                }
            }
            (_, 0) => self.first(block, code(1)?, bits, state)?,
            _ => self.refine(block, code(1)?, bits, state)?,
        }
        Ok(())
    }

    /// Coefficients for the first time.
    fn first(&self, block: &mut [i16], code: &Code, bits: &mut Bits<'_>, state: &mut State) -> Result<()> {
        if state.zeros > 0 {
            state.zeros -= 1;
            return Ok(());
        }
        let (mut k, last) = self.spectrum;
        while k <= last {
            let symbol = bits.symbol(code)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 {
                if run < 15 {
                    state.zeros = (1 << run) - 1 + bits.take(run)?;
                    return Ok(());
                }
                k += 16;
                continue;
            }
            k += run as usize;
            let value = bits.signed(size)?.wrapping_shl(self.bits.1);
            block[*ZIGZAG.get(k).ok_or("a block of more than 64 coefficients")?] = value as i16;
            k += 1;
        }
        Ok(())
    }

    /// One bit more of coefficients.
    fn refine(&self, block: &mut [i16], code: &Code, bits: &mut Bits<'_>, state: &mut State) -> Result<()> {
        let one = 1i16 << self.bits.1;
        let (mut k, last) = self.spectrum;
        let correct = |x: &mut i16, bits: &mut Bits<'_>| -> Result<()> {
            if bits.take(1)? == 1 && *x & one == 0 {
                *x = x.wrapping_add(if *x >= 0 { one } else { -one });
            }
            Ok(())
        };
        if state.zeros == 0 {
            while k <= last {
                let symbol = bits.symbol(code)?;
                let (mut run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
                let mut new = 0;
                if size != 0 {
                    new = if bits.take(1)? == 1 { one } else { -one };
                } else if run < 15 {
                    state.zeros = (1 << run) + bits.take(run)?;
                    break;
                }
                // The run counts coefficients that are still zero; the others on the way get their bit.
                while k <= last {
                    let x = &mut block[ZIGZAG[k]];
                    if *x != 0 {
                        correct(x, bits)?;
                    } else if run == 0 {
                        *x = new;
                        k += 1;
                        break;
                    } else {
                        run -= 1;
                    }
                    k += 1;
                }
            }
        }
        if state.zeros > 0 {
            for place in &ZIGZAG[k.min(last + 1)..=last] {
                if block[*place] != 0 {
                    correct(&mut block[*place], bits)?;
                }
            }
            state.zeros -= 1;
        }
        Ok(())
    }
}

/// What is remembered from block to block.
struct State {
    /// The last first coefficient of each component.
    before: [i32; 4],
    /// Blocks to come that have nothing new.
    zeros: u32,
}

/// The bits of a scan, a zero after each 0xff left out, up to the next marker.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 48 {
            let Some(byte) = self.bytes.get(self.at) else { return };
            if *byte == 0xff {
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.held = self.held << 8 | u64::from(*byte);
            self.count += 8;
            self.at += 1;
        }
    }

    /// The next `size` bits, at most 16.
    fn take(&mut self, size: u32) -> Result<u32> {
        if self.count < size {
            self.fill();
            if self.count < size {
                return Err("ends before its picture does".to_owned());
            }
        }
        self.count -= size;
        Ok((self.held >> self.count) as u32 & ((1 << size) - 1))
    }

    fn symbol(&mut self, code: &Code) -> Result<u8> {
        if self.count < 16 {
            self.fill();
        }
        if self.count >= 8 {
            let (length, symbol) = code.short[(self.held >> (self.count - 8)) as usize & 255];
            if length > 0 {
                self.count -= u32::from(length);
                return Ok(symbol);
            }
        }
        let mut found = 0;
        for (after, place) in &code.lengths[1..] {
            found = found << 1 | self.take(1)? as i32;
            if found < *after {
                let symbol = code.symbols.get((found + place) as usize).copied();
                return symbol.ok_or_else(|| "a code that its table does not have".to_owned());
            }
        }
        Err("a code that its table does not have".to_owned())
    }

    /// A number of `size` bits, negative ones being those that begin with 0.
    fn signed(&mut self, size: u32) -> Result<i32> {
        let value = self.take(size)? as i32;
        Ok(if size > 0 && value < 1 << (size - 1) { value - (1 << size) + 1 } else { value })
    }

    fn difference(&mut self, code: &Code) -> Result<i32> {
        let size = u32::from(self.symbol(code)?);
        if size > 15 {
            return Err("a difference of more than 15 bits".to_owned());
        }
        self.signed(size)
    }

    /// Goes on after a restart marker.
    fn restart(&mut self) -> Result<()> {
        (self.held, self.count) = (0, 0);
        while let [first, second, ..] = self.bytes[self.at..] {
            if first == 0xff && (0xd0..=0xd7).contains(&second) {
                self.at += 2;
                return Ok(());
            }
            if first == 0xff && second != 0 && second != 0xff {
                break;
            }
            self.at += 1;
        }
        Err("a restart marker is missing".to_owned())
    }

    /// Where the data ends.
    fn end(&self) -> usize {
        self.at
    }
}
