//! Thrift's compact protocol, as far as Parquet's headers need it.
//!
//! A value is read into a tree without knowing its meaning; fields are then looked up by their numbers in
//! `parquet.thrift` (Apache Parquet format 2.11).

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Integer(i64),
    Double,
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Struct(Vec<(i16, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Reads a struct; what is left of the bytes begins after it. `None` where the bytes are no such thing.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Option<Self> {
        read_struct(bytes, 0)
    }

    /// A field of a struct.
    pub(super) fn field(&self, id: i16) -> Option<&Value<'a>> {
        match self {
            Self::Struct(fields) => fields.iter().find(|(field, _)| *field == id).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn integer(&self, id: i16) -> Option<i64> {
        match self.field(id)? {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// A field that is a length or a place.
    pub(super) fn size(&self, id: i16) -> Option<usize> {
        self.integer(id).and_then(|value| usize::try_from(value).ok())
    }

    pub(super) fn text(&self, id: i16) -> Option<String> {
        match self.field(id)? {
            Self::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    pub(super) fn list(&self, id: i16) -> &[Value<'a>] {
        match self.field(id) {
            Some(Self::List(values)) => values,
            _ => &[],
        }
    }
}

/// Headers are a few levels deep; what is deeper is no header.
const DEEPEST: usize = 16;

fn read_struct<'a>(bytes: &mut &'a [u8], depth: usize) -> Option<Value<'a>> {
    if depth > DEEPEST {
        return None;
    }
    let mut fields = Vec::new();
    let mut id: i16 = 0;
    loop {
        let head = byte(bytes)?;
        if head == 0 {
            return Some(Value::Struct(fields));
        }
        id = match head >> 4 {
            0 => i16::try_from(zigzag(varint(bytes)?)).ok()?,
            step => id.checked_add(i16::from(step))?,
        };
        let value = match head & 15 {
            1 => Value::Bool(true),
            2 => Value::Bool(false),
            kind => read_value(bytes, kind, depth)?,
        };
        fields.push((id, value));
    }
}

fn read_value<'a>(bytes: &mut &'a [u8], kind: u8, depth: usize) -> Option<Value<'a>> {
    match kind {
        // In lists a truth value has a byte of its own.
        1 | 2 => Some(Value::Bool(byte(bytes)? == 1)),
        3 => Some(Value::Integer(i64::from(byte(bytes)?.cast_signed()))),
        4..=6 => Some(Value::Integer(zigzag(varint(bytes)?))),
        7 => take(bytes, 8).map(|_| Value::Double),
        8 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Some(Value::Bytes(take(bytes, length)?))
        }
        9 | 10 => {
            let head = byte(bytes)?;
            let length = match head >> 4 {
                15 => usize::try_from(varint(bytes)?).ok()?,
                length => usize::from(length),
            };
            // Each value has a byte at least, so that a length that is made up is found out here.
            if length > bytes.len() || depth > DEEPEST {
                return None;
            }
            (0..length)
                .map(|_| read_value(bytes, head & 15, depth + 1))
                .collect::<Option<_>>()
                .map(Value::List)
        }
        12 => read_struct(bytes, depth + 1),
        // No header has a map.
        _ => None,
    }
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    take(bytes, 1).map(|bytes| bytes[0])
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// Seven bits to a byte, low ones first.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let next = byte(bytes)?;
        value |= u64::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
