//! rpm's own database format, ndb, in `Packages.db`, as SUSE has it
//! (rpm 4.18, `lib/backend/ndb/rpmpkg.c`: the format has no other description).
//!
//! A header and slots of sixteen bytes in pages of 4,096, then the packages' headers in blocks of sixteen bytes. All numbers are
//! little-endian.

use super::Database;

pub(super) const MAGIC: &[u8] = b"RpmP";
const PAGE_BYTES: usize = 4096;
const BLOCK_BYTES: usize = 16;
/// The database's header takes the place of two slots.
const HEADER_BYTES: usize = 32;
const SLOT_MAGIC: &[u8] = b"Slot";
const BLOB_MAGIC: &[u8] = b"BlbS";

/// Reads all packages. Slots and blobs that make no sense make the database malformed; the others are read.
pub(super) fn read(bytes: &[u8], database: &mut Database) {
    let Some(slots) = slots(bytes) else {
        return database.malformed();
    };
    // Blobs do not overlap, so all together they are no longer than the file.
    let mut rest = bytes.len();
    for slot in slots.chunks_exact(BLOCK_BYTES) {
        let (Some(SLOT_MAGIC), Some(package), Some(block)) =
            (slot.get(..4), number(slot, 4), number(slot, 8))
        else {
            database.malformed();
            continue;
        };
        // A slot that is not in use points nowhere.
        if block == 0 {
            continue;
        }
        let blob = blob(bytes, package, block);
        match blob.and_then(|blob| Some((blob, rest.checked_sub(blob.len())?))) {
            Some((blob, left)) => {
                rest = left;
                database.add(blob);
            }
            None => database.malformed(),
        }
    }
}

fn slots(bytes: &[u8]) -> Option<&[u8]> {
    const VERSION: u32 = 0;
    if number(bytes, 4)? != VERSION {
        return None;
    }
    let pages = usize::try_from(number(bytes, 12)?).ok()?;
    bytes.get(HEADER_BYTES..pages.checked_mul(PAGE_BYTES)?)
}

/// The blob in a block: magic number, the number of its package, a generation, its length, and the header.
fn blob(bytes: &[u8], package: u32, block: u32) -> Option<&[u8]> {
    let start = usize::try_from(block).ok()?.checked_mul(BLOCK_BYTES)?;
    let blob = bytes.get(start..)?;
    if blob.get(..4)? != BLOB_MAGIC || number(blob, 4)? != package {
        return None;
    }
    let length = usize::try_from(number(blob, 12)?).ok()?;
    blob.get(16..)?.get(..length)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*field))
}
