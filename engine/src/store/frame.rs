//! How one record lies in sled: a framed head with version, length and digest, then chunks.
//!
//! Two facts about sled 0.34 shape it. A page holds up to sixteen values and is rewritten as one; a
//! page beyond 128 KiB goes into a file of its own (`blobs/`) that sled never syncs. Chunks of 4 KiB
//! keep every page in the log, which is synced. And sled's own checksums guard its messages, not our
//! records: a page that recovery silently left out, or took from an older state, has none. So each
//! record carries a digest, and their sum (the tally of `table`) is stored with each commit.
//!
//! ```text
//! key    space (1) | name | 0x00 | chunk number (4, big endian)
//! head   frame format (1) | version (8) | length of all data (8) | digest (16) | first chunk
//! chunk  up to 4096 bytes
//! ```

use ring::digest::{Context, SHA256};

/// The frame format that this program writes.
pub(super) const FRAME: u8 = 1;
/// Bytes of data in one chunk.
pub(super) const CHUNK: usize = 4096;
/// Bytes before the data in the first chunk.
const HEAD: usize = 1 + 8 + 8 + 16;

/// Which kind of thing a name names; the first byte of its key in sled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Space {
    /// A record of [`crate::ports::Store`].
    Record,
    /// A lease.
    Lease,
}

impl Space {
    fn byte(self) -> u8 {
        match self {
            Space::Record => b'r',
            Space::Lease => b'l',
        }
    }

    fn of(byte: u8) -> Option<Self> {
        match byte {
            b'r' => Some(Space::Record),
            b'l' => Some(Space::Lease),
            _ => None,
        }
    }
}

/// The first 16 bytes of SHA-256 over everything that makes a record what it is.
pub(super) fn digest_of(space: Space, name: &str, version: u64, data: &[u8]) -> u128 {
    let mut context = Context::new(&SHA256);
    context.update(&[FRAME, space.byte()]);
    context.update(&(name.len() as u64).to_be_bytes());
    context.update(name.as_bytes());
    context.update(&version.to_be_bytes());
    context.update(data);
    let digest = context.finish();
    let mut short = [0; 16];
    short.copy_from_slice(&digest.as_ref()[..16]);
    u128::from_be_bytes(short)
}

/// How many chunks data of this length takes; never none.
pub(super) fn chunks_of(len: usize) -> u32 {
    u32::try_from(len.div_ceil(CHUNK).max(1)).unwrap_or(u32::MAX)
}

/// The sled key of one chunk.
pub(super) fn chunk_key(space: Space, name: &str, chunk: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 6);
    key.push(space.byte());
    key.extend_from_slice(name.as_bytes());
    key.push(0);
    key.extend_from_slice(&chunk.to_be_bytes());
    key
}

/// The sled values of one record, in the order of its chunks.
pub(super) fn frame(version: u64, digest: u128, data: &[u8]) -> Vec<Vec<u8>> {
    let (first, rest) = data.split_at(data.len().min(CHUNK));
    let mut head = Vec::with_capacity(HEAD + first.len());
    head.push(FRAME);
    head.extend_from_slice(&version.to_be_bytes());
    head.extend_from_slice(&(data.len() as u64).to_be_bytes());
    head.extend_from_slice(&digest.to_be_bytes());
    head.extend_from_slice(first);
    let mut values = vec![head];
    values.extend(rest.chunks(CHUNK).map(<[u8]>::to_vec));
    values
}

/// A sled key taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChunkName {
    /// Which kind of thing.
    pub(super) space: Space,
    /// Its name.
    pub(super) name: String,
    /// Which chunk of it.
    pub(super) chunk: u32,
}

/// Takes a sled key apart; none = it is not one of ours.
pub(super) fn parse_chunk_key(key: &[u8]) -> Option<ChunkName> {
    let (&first, rest) = key.split_first()?;
    let (name, tail) = rest.split_at_checked(rest.len().checked_sub(5)?)?;
    let (&nul, number) = tail.split_first()?;
    if nul != 0 {
        return None;
    }
    Some(ChunkName {
        space: Space::of(first)?,
        name: std::str::from_utf8(name).ok()?.to_owned(),
        chunk: u32::from_be_bytes(number.try_into().ok()?),
    })
}

/// A record being put together again from its chunks.
#[derive(Debug)]
pub(super) struct Assembly {
    version: u64,
    len: u64,
    digest: u128,
    next: u32,
    data: Vec<u8>,
}

/// A record read back, its digest proven.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Framed {
    /// Which commit wrote it.
    pub(super) version: u64,
    /// Its digest.
    pub(super) digest: u128,
    /// Its bytes.
    pub(super) data: Vec<u8>,
}

impl Assembly {
    /// Begins with the value of chunk 0.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn begin(value: &[u8]) -> Result<Self, String> {
        let Some((head, data)) = value.split_at_checked(HEAD) else {
            return Err("its head is cut off".to_owned());
        };
        if head[0] != FRAME {
            return Err(format!("its frame format is {}, not {FRAME}", head[0]));
        }
        let number = |at: usize| {
            u64::from_be_bytes(head[at..at + 8].try_into().expect("eight bytes of the head"))
        };
        let digest =
            u128::from_be_bytes(head[17..33].try_into().expect("sixteen bytes of the head"));
        Ok(Self { version: number(1), len: number(9), digest, next: 1, data: data.to_vec() })
    }

    /// Adds the next chunk.
    ///
    /// # Errors
    /// It is not the next one.
    pub(super) fn add(&mut self, chunk: u32, value: &[u8]) -> Result<(), String> {
        if chunk != self.next {
            return Err(format!("chunk {} is missing", self.next));
        }
        self.next = self.next.saturating_add(1);
        self.data.extend_from_slice(value);
        Ok(())
    }

    /// Ends, and proves length and digest.
    ///
    /// # Errors
    /// What does not agree.
    pub(super) fn end(self, space: Space, name: &str) -> Result<Framed, String> {
        let Self { version, len, digest, data, .. } = self;
        if data.len() as u64 != len {
            return Err(format!("it has {} bytes, its head says {len}", data.len()));
        }
        if digest_of(space, name, version, &data) != digest {
            return Err("its digest does not agree with its bytes".to_owned());
        }
        Ok(Framed { version, digest, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(name: &str, values: &[Vec<u8>]) -> Result<Framed, String> {
        let mut assembly = Assembly::begin(&values[0])?;
        for (at, value) in values.iter().enumerate().skip(1) {
            assembly.add(u32::try_from(at).unwrap(), value)?;
        }
        assembly.end(Space::Record, name)
    }

    fn framed(name: &str, data: &[u8]) -> Vec<Vec<u8>> {
        frame(7, digest_of(Space::Record, name, 7, data), data)
    }

    #[test]
    fn every_length_around_a_chunk_comes_back() {
        for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5] {
            let data = vec![0xa5; len];
            let values = framed("k", &data);
            assert_eq!(values.len(), usize::try_from(chunks_of(len)).unwrap(), "{len}");
            let back = read_back("k", &values).unwrap();
            assert_eq!((back.version, back.data), (7, data), "{len}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found() {
        let values = framed("k", &vec![7; CHUNK + 10]);
        for (at, value) in values.iter().enumerate() {
            for byte in (0..value.len()).step_by(3) {
                let mut bad = values.clone();
                bad[at][byte] ^= 0x10;
                assert!(read_back("k", &bad).is_err(), "chunk {at} byte {byte}");
            }
        }
    }

    #[test]
    fn a_record_under_another_name_is_not_taken_for_that_one() {
        assert!(read_back("other", &framed("k", b"x")).is_err());
    }

    #[test]
    fn a_missing_or_cut_chunk_is_found() {
        let values = framed("k", &vec![7; 3 * CHUNK]);
        assert!(read_back("k", &values[..2]).is_err());
        assert!(read_back("k", &[values[0].clone(), values[2].clone()]).is_err());
        assert!(Assembly::begin(&values[0][..10]).is_err());
    }

    #[test]
    fn chunk_keys_read_back_and_hostile_ones_are_refused() {
        for name in ["", "a", "a\0b", "ÿ\u{10ffff}"] {
            let key = chunk_key(Space::Lease, name, 300);
            let expected = ChunkName { space: Space::Lease, name: name.to_owned(), chunk: 300 };
            assert_eq!(parse_chunk_key(&key), Some(expected));
        }
        for bad in [&b""[..], b"r", b"rab", b"x\0\0\0\0\0", b"r\xff\0\0\0\0\0", b"ra\x01\0\0\0\0"] {
            assert_eq!(parse_chunk_key(bad), None, "{bad:?}");
        }
    }
}
