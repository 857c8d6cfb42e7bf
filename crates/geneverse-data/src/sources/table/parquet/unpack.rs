//! A page's bytes: unpacked, and numbers in them that are run lengths and packed bits.

use std::io::Read;

use flate2::read::MultiGzDecoder;

/// Unpacks a page to `size` bytes; `None` where the bytes are damaged. `Err` names a way of packing that is not read.
pub(super) fn unpack(codec: i64, packed: &[u8], size: usize) -> Result<Option<Vec<u8>>, &'static str> {
    let unpacked = match codec {
        0 => Some(packed.to_vec()),
        1 => snappy(packed, size),
        2 => {
            let mut bytes = Vec::new();
            let read = MultiGzDecoder::new(packed).take(size as u64 + 1).read_to_end(&mut bytes);
            read.ok().map(|_| bytes)
        }
        6 => {
            let mut bytes = Vec::new();
            let read = ruzstd::decoding::StreamingDecoder::new(packed)
                .map(|decoder| decoder.take(size as u64 + 1).read_to_end(&mut bytes));
            matches!(read, Ok(Ok(_))).then_some(bytes)
        }
        3 => return Err("LZO"),
        4 => return Err("Brotli"),
        5 | 7 => return Err("LZ4"),
        _ => return Err("a way of packing that this program does not know"),
    };
    Ok(unpacked.filter(|bytes| bytes.len() == size))
}

/// Snappy's block format: the length, then pieces that are copied from the packed bytes, or from what is unpacked already.
fn snappy(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut rest = packed;
    if super::thrift::varint(&mut rest)? != size as u64 {
        return None;
    }
    let mut bytes: Vec<u8> = Vec::new();
    while let Some((&tag, after)) = rest.split_first() {
        let number = |count: usize| {
            let digits = after.get(..count)?;
            Some(digits.iter().rev().fold(0, |number, digit| number << 8 | usize::from(*digit)))
        };
        let high = usize::from(tag >> 2);
        let (length, back, head) = match tag & 3 {
            0 if high < 60 => (high + 1, None, 0),
            0 => (number(high - 59)?.checked_add(1)?, None, high - 59),
            1 => ((high & 7) + 4, Some((high >> 3) << 8 | number(1)?), 1),
            2 => (high + 1, Some(number(2)?), 2),
            _ => (high + 1, Some(number(4)?), 4),
        };
        rest = after.get(head..)?;
        if length > size - bytes.len() {
            return None;
        }
        match back {
            None => {
                bytes.extend_from_slice(rest.get(..length)?);
                rest = &rest[length..];
            }
            Some(back) => {
                let start = bytes.len().checked_sub(back).filter(|_| back > 0)?;
                if back >= length {
                    bytes.extend_from_within(start..start + length);
                } else {
                    // What is copied begins to repeat itself.
                    (start..start + length).for_each(|at| bytes.push(bytes[at]));
                }
            }
        }
    }
    Some(bytes)
}

/// Numbers of `width` bits each, in Parquet's mixture of run lengths and packed bits; exactly `count` of them.
pub(super) fn hybrid(mut bytes: &[u8], width: u32, count: usize) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    if width > 32 {
        return None;
    }
    let whole = width.div_ceil(8) as usize;
    while numbers.len() < count {
        let head = usize::try_from(super::thrift::varint(&mut bytes)?).ok()?;
        let left = count - numbers.len();
        if head & 1 == 0 {
            let (digits, rest) = bytes.split_at_checked(whole)?;
            bytes = rest;
            let value = digits.iter().rev().fold(0_u64, |value, digit| value << 8 | u64::from(*digit));
            let run = head >> 1;
            if run == 0 {
                return None;
            }
            numbers.resize(numbers.len() + run.min(left), value as u32);
        } else {
            let groups = head >> 1;
            // The last group may be cut where the page ends.
            let packed = bytes.get(..groups.checked_mul(width as usize)?.min(bytes.len()))?;
            bytes = &bytes[packed.len()..];
            let wanted = groups.checked_mul(8)?.min(left);
            if wanted == 0 || (wanted * width as usize).div_ceil(8) > packed.len() {
                return None;
            }
            let (mut held, mut bits, mut next) = (0_u64, 0, packed.iter());
            let mask = (1_u64 << width) - 1;
            for _ in 0..wanted {
                while bits < width {
                    held |= u64::from(*next.next()?) << bits;
                    bits += 8;
                }
                numbers.push((held & mask) as u32);
                held >>= width;
                bits -= width;
            }
        }
    }
    Some(numbers)
}
