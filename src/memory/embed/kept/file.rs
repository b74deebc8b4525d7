//! The form of a file of vectors, as bytes.
//!
//! Invariant: nothing is read of a file whose checksum does not hold.

use super::Key;

/// What a file begins with; the number is the format's.
const MAGIC: &[u8; 8] = b"LGVECT01";
/// Bytes before a file's first key.
pub(super) const HEAD: usize = 24;
/// Bytes of a checksum at a file's end.
const CHECKSUM: usize = 32;

/// A file: what it is, its width, its length, its keys, its rows, and the BLAKE3 of all that.
pub(super) fn written(vectors: &[(Key, Vec<f32>)], dimensions: usize) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend((dimensions as u64).to_le_bytes());
    bytes.extend((vectors.len() as u64).to_le_bytes());
    vectors.iter().for_each(|(key, _)| bytes.extend(key));
    bytes.extend(vectors.iter().flat_map(|(_, vector)| vector).flat_map(|number| number.to_le_bytes()));
    let checksum = blake3::hash(&bytes);
    bytes.extend(checksum.as_bytes());
    bytes
}

pub(super) fn damaged() -> String {
    "is damaged".to_owned()
}

/// The keys of a file that holds what its checksum says and rows of this width, or what is wrong with it.
pub(super) fn keys(bytes: &[u8], dimensions: usize) -> Result<&[Key], String> {
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or_else(damaged)?;
    if blake3::hash(content).as_bytes() != checksum {
        return Err(damaged());
    }
    let (magic, rest) = content.split_first_chunk::<8>().ok_or_else(damaged)?;
    if magic != MAGIC {
        return Err("is of another format".to_owned());
    }
    let (width, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (count, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    if u64::from_le_bytes(*width) != dimensions as u64 {
        return Err(format!("holds vectors of {} numbers instead of {dimensions}", u64::from_le_bytes(*width)));
    }
    let (keys, numbers) = usize::try_from(u64::from_le_bytes(*count))
        .ok()
        .and_then(|count| rest.split_at_checked(count.checked_mul(size_of::<Key>())?))
        .ok_or_else(damaged)?;
    let keys = keys.as_chunks::<16>().0;
    if dimensions == 0 || numbers.len() != keys.len() * dimensions * size_of::<f32>() {
        return Err(damaged());
    }
    Ok(keys)
}

/// What a file holds, or what is wrong with it.
pub(super) fn read(bytes: &[u8], dimensions: usize) -> Result<Vec<(Key, Vec<f32>)>, String> {
    let keys = keys(bytes, dimensions)?;
    let numbers = &bytes[HEAD + size_of_val(keys)..bytes.len() - CHECKSUM];
    let numbers: Vec<f32> = numbers.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(keys.iter().copied().zip(numbers.chunks_exact(dimensions).map(<[f32]>::to_vec)).collect())
}
