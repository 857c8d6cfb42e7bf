//! The protocol buffers' wire format, as much of it as a SentencePiece model needs: a message is a row of
//! fields, each a key (number and wire type) and a value. <https://protobuf.dev/programming-guides/encoding/>

/// A field's value; who asks for it knows what the number means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    /// Wire type 0: integers, booleans and enumerations.
    Integer(u64),
    /// Wire type 2: text, bytes and messages.
    Bytes(&'a [u8]),
    /// Wire type 5: a `float`, among others.
    Four([u8; 4]),
    /// Wire type 1, which no field read here has.
    Eight,
}

/// The fields of a message in the order of the file, as (number, value).
pub(super) fn fields(mut message: &[u8]) -> Result<Vec<(u64, Value<'_>)>, String> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let value = match key & 7 {
            0 => Value::Integer(varint(&mut message)?),
            1 => {
                take(&mut message, 8)?;
                Value::Eight
            }
            2 => {
                let length = varint(&mut message)?;
                Value::Bytes(take(&mut message, usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => {
                let bytes = take(&mut message, 4)?;
                Value::Four([bytes[0], bytes[1], bytes[2], bytes[3]])
            }
            other => return Err(format!("field {} has the unknown wire type {other}", key >> 3)),
        };
        fields.push((key >> 3, value));
    }
    Ok(fields)
}

impl<'a> Value<'a> {
    /// A boolean, or none where the value is of another wire type.
    pub(super) fn flag(self) -> Option<bool> {
        self.integer().map(|n| n != 0)
    }

    /// A signed integer: negative ones are written as their 64 bit two's complement.
    pub(super) fn integer(self) -> Option<i64> {
        match self {
            Value::Integer(n) => Some(n.cast_signed()),
            _ => None,
        }
    }

    pub(super) fn float(self) -> Option<f32> {
        match self {
            Value::Four(bytes) => Some(f32::from_le_bytes(bytes)),
            _ => None,
        }
    }

    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

fn varint(message: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0u64;
    for place in 0..10 {
        let byte = take(message, 1)?[0];
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("an integer is longer than ten bytes".to_owned())
}

fn take<'a>(message: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (taken, rest) = message
        .split_at_checked(length)
        .ok_or_else(|| format!("a field of {length} bytes, only {} are left: truncated?", message.len()))?;
    *message = rest;
    Ok(taken)
}
