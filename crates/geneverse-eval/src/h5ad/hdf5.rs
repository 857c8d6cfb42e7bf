//! The part of HDF5 that it takes to write tables and matrices: groups, datasets in one piece, attributes.
//!
//! "HDF5 File Format Specification", version 3.0 (The HDF Group): superblock 2, object headers 2 with links inside them,
//! contiguous data, and strings of any length in global heaps. Everything is little-endian, addresses have eight bytes.
//! What a parent points at is written before it, so a file is made in one pass and only its superblock is filled in last.

/// An address that points nowhere.
const NOWHERE: u64 = u64::MAX;
/// The first heap of strings, which mostly holds those of attributes, and the further ones. 4,096 is the least allowed.
const FIRST_HEAP: usize = 4096;
const HEAP: usize = 1 << 16;

/// A value of an attribute, or the elements of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// Strings of any length, in UTF-8.
    Texts(Vec<String>),
    /// Signed numbers of 32 bits.
    Whole(Vec<i32>),
    /// Numbers of 32 bits.
    Single(Vec<f32>),
    /// Numbers of 64 bits.
    Double(Vec<f64>),
    /// One truth value, as h5py writes it: an enumeration of FALSE and TRUE.
    Truth(bool),
}

/// A group or a dataset.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Names and values; `None` for the shape of a single value.
    pub(super) attributes: Vec<(&'static str, Option<Vec<u64>>, Values)>,
    /// What is in it.
    pub(super) content: Content,
}

/// What is in a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// Others, by name.
    Group(Vec<(String, Node)>),
    /// Elements and how they are laid out.
    Dataset(Vec<u64>, Values),
}

/// The whole file.
pub(super) fn write(root: &Node) -> Vec<u8> {
    let mut file = File { bytes: vec![0; 48], heap: None };
    let address = file.node(root);
    file.close_heap();
    let mut block = b"\x89HDF\r\n\x1a\n".to_vec();
    // Version 2, offsets and lengths of eight bytes, no flags.
    block.extend([2, 8, 8, 0]);
    for number in [0, NOWHERE, file.bytes.len() as u64, address] {
        block.extend(number.to_le_bytes());
    }
    block.extend(checksum(&block).to_le_bytes());
    file.bytes[..48].copy_from_slice(&block);
    file.bytes
}

struct File {
    bytes: Vec<u8>,
    heap: Option<Heap>,
}

/// A global heap that is being filled.
struct Heap {
    start: usize,
    end: usize,
    next: usize,
    objects: u16,
}

impl File {
    /// Writes a node and all below it; its address.
    fn node(&mut self, node: &Node) -> u64 {
        let mut messages = Vec::new();
        match &node.content {
            Content::Group(children) => {
                let links: Vec<(&str, u64)> =
                    children.iter().map(|(name, child)| (name.as_str(), self.node(child))).collect();
                let info = [&[0, 0][..], &NOWHERE.to_le_bytes(), &NOWHERE.to_le_bytes()].concat();
                message(&mut messages, 0x02, &info);
                message(&mut messages, 0x0a, &[0, 0]);
                for (name, address) in links {
                    // Version 1; the length of the name in two bytes, the name in UTF-8; a hard link.
                    let mut link = vec![1, 0x11, 1];
                    link.extend((name.len() as u16).to_le_bytes());
                    link.extend(name.as_bytes());
                    link.extend(address.to_le_bytes());
                    message(&mut messages, 0x06, &link);
                }
            }
            Content::Dataset(shape, values) => {
                let data = self.encode(values);
                let address = if data.is_empty() { NOWHERE } else { self.bytes.len() as u64 };
                message(&mut messages, 0x01, &space(Some(shape)));
                message(&mut messages, 0x03, &datatype(values));
                // Version 3; space is given late, a fill value is written if one is set, and none is.
                message(&mut messages, 0x05, &[3, 0x0a]);
                let mut layout = vec![3, 1];
                layout.extend(address.to_le_bytes());
                layout.extend((data.len() as u64).to_le_bytes());
                message(&mut messages, 0x08, &layout);
                self.bytes.extend(data);
            }
        }
        for (name, shape, values) in &node.attributes {
            let (kind, space, data) = (datatype(values), space(shape.as_deref()), self.encode(values));
            let mut attribute = vec![3, 0];
            for length in [name.len() + 1, kind.len(), space.len()] {
                attribute.extend((length as u16).to_le_bytes());
            }
            attribute.push(1);
            attribute.extend(name.as_bytes());
            attribute.push(0);
            attribute.extend(kind);
            attribute.extend(space);
            attribute.extend(data);
            message(&mut messages, 0x0c, &attribute);
        }
        let address = self.bytes.len();
        self.bytes.extend(b"OHDR");
        // Version 2; the length of the messages in four bytes.
        self.bytes.extend([2, 2]);
        self.bytes.extend((messages.len() as u32).to_le_bytes());
        self.bytes.extend(messages);
        let sum = checksum(&self.bytes[address..]);
        self.bytes.extend(sum.to_le_bytes());
        address as u64
    }

    /// Elements as they lie in a file; strings go into a heap and leave where they are.
    fn encode(&mut self, values: &Values) -> Vec<u8> {
        match values {
            Values::Texts(texts) => texts.iter().flat_map(|text| self.text(text.as_bytes())).collect(),
            Values::Whole(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
            Values::Single(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
            Values::Double(numbers) => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
            Values::Truth(value) => vec![u8::from(*value)],
        }
    }

    /// Puts a string into a heap: its length, the heap's address, its number there.
    fn text(&mut self, text: &[u8]) -> [u8; 16] {
        let mut place = [0; 16];
        if text.is_empty() {
            return place;
        }
        let needed = 16 + text.len().next_multiple_of(8);
        // Sixteen bytes stay for the object that says how much is free.
        if self.heap.as_ref().is_none_or(|heap| heap.next + needed + 16 > heap.end) {
            let size =
                if self.heap.is_none() { FIRST_HEAP } else { HEAP }.max((needed + 64).next_multiple_of(8));
            self.close_heap();
            let start = self.bytes.len();
            self.bytes.extend(b"GCOL\x01\0\0\0");
            self.bytes.extend((size as u64).to_le_bytes());
            self.bytes.resize(start + size, 0);
            self.heap = Some(Heap { start, end: start + size, next: start + 16, objects: 0 });
        }
        let Some(heap) = &mut self.heap else { return place };
        heap.objects += 1;
        let at = heap.next;
        self.bytes[at..at + 2].copy_from_slice(&heap.objects.to_le_bytes());
        self.bytes[at + 8..at + 16].copy_from_slice(&(text.len() as u64).to_le_bytes());
        self.bytes[at + 16..at + 16 + text.len()].copy_from_slice(text);
        heap.next += needed;
        place[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
        place[4..12].copy_from_slice(&(heap.start as u64).to_le_bytes());
        place[12..].copy_from_slice(&u32::from(heap.objects).to_le_bytes());
        place
    }

    /// Says of the current heap how much of it is free.
    fn close_heap(&mut self) {
        if let Some(heap) = self.heap.take() {
            let free = (heap.end - heap.next) as u64;
            self.bytes[heap.next + 8..heap.next + 16].copy_from_slice(&free.to_le_bytes());
        }
    }
}

fn message(messages: &mut Vec<u8>, kind: u8, content: &[u8]) {
    messages.push(kind);
    messages.extend((content.len() as u16).to_le_bytes());
    messages.push(0);
    messages.extend(content);
}

/// A dataspace: of one value, or of a shape.
fn space(shape: Option<&[u64]>) -> Vec<u8> {
    let sizes = shape.unwrap_or_default();
    let mut space = vec![2, sizes.len() as u8, 0, u8::from(shape.is_some())];
    space.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
    space
}

/// The datatype of elements.
fn datatype(values: &Values) -> Vec<u8> {
    // Class and version, three bytes of flags, size; then what the class needs.
    let whole = |size: u8, signed: u8| vec![0x10, signed, 0, 0, size, 0, 0, 0, 0, 0, size * 8, 0];
    match values {
        // A sequence that is a string in UTF-8, of bytes.
        Values::Texts(_) => [vec![0x19, 1, 1, 0, 16, 0, 0, 0], whole(1, 0)].concat(),
        Values::Whole(_) => whole(4, 8),
        Values::Single(_) => {
            [&[0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23][..], &127_u32.to_le_bytes()].concat()
        }
        Values::Double(_) => {
            [&[0x11, 0x20, 63, 0, 8, 0, 0, 0, 0, 0, 64, 0, 52, 11, 0, 52][..], &1023_u32.to_le_bytes()]
                .concat()
        }
        Values::Truth(_) => {
            [&[0x18, 2, 0, 0, 1, 0, 0, 0][..], &whole(1, 8), b"FALSE\0\0\0TRUE\0\0\0\0", &[0, 1]].concat()
        }
    }
}

/// Jenkins' lookup3 (2006), as HDF5 uses it.
fn checksum(bytes: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let (mut a, mut b, mut c) = (start, start, start);
    let mut blocks = bytes.chunks(12).peekable();
    while let Some(block) = blocks.next() {
        let mut padded = [0; 12];
        padded[..block.len()].copy_from_slice(block);
        let word =
            |at: usize| u32::from_le_bytes([padded[at], padded[at + 1], padded[at + 2], padded[at + 3]]);
        a = a.wrapping_add(word(0));
        b = b.wrapping_add(word(4));
        c = c.wrapping_add(word(8));
        if blocks.peek().is_some() {
            for (x, y, z, turn) in
                [(0, 2, 1, 4), (1, 0, 2, 6), (2, 1, 0, 8), (0, 2, 1, 16), (1, 0, 2, 19), (2, 1, 0, 4)]
            {
                let mut abc = [a, b, c];
                abc[x] = abc[x].wrapping_sub(abc[y]) ^ abc[y].rotate_left(turn);
                abc[y] = abc[y].wrapping_add(abc[z]);
                [a, b, c] = abc;
            }
        } else {
            for (x, y, turn) in
                [(2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24)]
            {
                let mut abc = [a, b, c];
                abc[x] = (abc[x] ^ abc[y]).wrapping_sub(abc[y].rotate_left(turn));
                [a, b, c] = abc;
            }
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_lookup3s() {
        // Of Jenkins' own driver and self-test.
        assert_eq!(checksum(b""), 0xdead_beef);
        assert_eq!(checksum(b"Four score and seven years ago"), 0x1777_0551);
    }

    #[test]
    fn strings_fill_heap_after_heap_and_each_is_found_again() {
        let texts: Vec<String> =
            (0..9000).map(|at| "g".repeat(at % 40)).chain(["x".repeat(100_000)]).collect();
        let mut file = File { bytes: vec![0; 48], heap: None };
        let places = file.encode(&Values::Texts(texts.clone()));
        file.close_heap();
        for (place, text) in places.chunks(16).zip(&texts) {
            let length = u32::from_le_bytes(place[..4].try_into().unwrap()) as usize;
            assert_eq!(length, text.len());
            if length == 0 {
                continue;
            }
            let heap = u64::from_le_bytes(place[4..12].try_into().unwrap()) as usize;
            let wanted = u32::from_le_bytes(place[12..].try_into().unwrap());
            assert_eq!(&file.bytes[heap..heap + 4], b"GCOL");
            let mut at = heap + 16;
            loop {
                let number = u16::from_le_bytes(file.bytes[at..at + 2].try_into().unwrap());
                let size = u64::from_le_bytes(file.bytes[at + 8..at + 16].try_into().unwrap()) as usize;
                if u32::from(number) == wanted {
                    assert_eq!(&file.bytes[at + 16..at + 16 + size], text.as_bytes());
                    break;
                }
                assert_ne!(number, 0, "the free object comes last");
                at += 16 + size.next_multiple_of(8);
            }
        }
    }
}
