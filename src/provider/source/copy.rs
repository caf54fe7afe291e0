//! The last good copy of a fetched document, on disk: what a start without a network begins with.
//!
//! A copy is trusted no more than an answer from the network: it is verified again when it is read. Beside it lies a note
//! of when it was last confirmed and by what its host knows it; a note that does not belong to the copy is not used.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::fetch::Validators;
use crate::base::UnixTime;
use crate::crypto::digest::{Random, random_bytes, sha256};

/// What is known of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    /// SHA-256 of the copy, in hexadecimal: the note and the copy are two files.
    sha256: String,
    /// When the host last said that this is the document.
    pub(super) confirmed: UnixTime,
    /// The address that it came from.
    pub(super) url: String,
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Note {
    pub(super) fn new(digest: &[u8; 32], confirmed: UnixTime, url: &str, validators: &Validators) -> Self {
        Self {
            sha256: hex(digest),
            confirmed,
            url: url.to_owned(),
            etag: validators.etag.clone(),
            last_modified: validators.last_modified.clone(),
        }
    }

    pub(super) fn validators(&self) -> Validators {
        Validators { etag: self.etag.clone(), last_modified: self.last_modified.clone() }
    }
}

/// A document as it was found on disk.
pub(super) struct Found {
    pub(super) bytes: Vec<u8>,
    /// When the file was last written.
    pub(super) written: UnixTime,
    pub(super) note: Option<Note>,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// What the system says, `NotFound` among it; `FileTooLarge` over the limit.
pub(super) fn read(path: &Path, limit: usize) -> io::Result<Found> {
    let file = File::open(path)?;
    let written = instant(&file.metadata()?);
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {limit} bytes")));
    }
    Ok(Found { bytes, written, note: None })
}

/// When a file was last written; the epoch where nobody knows.
pub(super) fn instant(metadata: &fs::Metadata) -> UnixTime {
    let since = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    UnixTime::from_millis(since.and_then(|d| i64::try_from(d.as_millis()).ok()).unwrap_or(0))
}

/// Reads a copy, with its note where that is its own.
pub(super) fn read_copy(path: &Path, limit: usize) -> io::Result<Found> {
    let found = read(path, limit)?;
    let note = read(&note_path(path), 16 * 1024).ok().and_then(|note| serde_json::from_slice::<Note>(&note.bytes).ok());
    let note = note.filter(|note| note.sha256 == hex(&sha256(&found.bytes)));
    Ok(Found { note, ..found })
}

/// Keeps `bytes` as the copy, with its note.
pub(super) fn write(path: &Path, bytes: &[u8], note: &Note, random: &dyn Random) -> io::Result<()> {
    replace(path, bytes, random)?;
    write_note(path, note, random)
}

/// Keeps another note for the copy that is there.
pub(super) fn write_note(path: &Path, note: &Note, random: &dyn Random) -> io::Result<()> {
    let text = serde_json::to_vec(note).map_err(io::Error::other)?;
    replace(&note_path(path), &text, random)
}

fn note_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

/// Puts a file in place whole: whoever reads it, also after a crash, sees the old one or the new one. Only we can read it.
fn replace(path: &Path, bytes: &[u8], random: &dyn Random) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let chance = random_bytes::<8>(random).map_err(io::Error::other)?;
    let temporary = folder.join(format!(".{}.{}.tmp", name.to_string_lossy(), hex(&chance)));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::crypto::digest::SystemRandom;

    #[test]
    fn a_copy_is_whole_and_ours_alone_and_its_note_belongs_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/feeds/fed.xml");
        let random = SystemRandom::new();
        assert_eq!(read_copy(&path, 100).err().unwrap().kind(), io::ErrorKind::NotFound);
        let validators = Validators { etag: Some("\"1\"".into()), last_modified: None };
        let at = UnixTime::from_secs(1_772_359_200);
        let note = Note::new(&sha256(b"one"), at, "https://md.example.se/", &validators);
        write(&path, b"one", &note, &random).unwrap();
        let found = read_copy(&path, 100).unwrap();
        assert_eq!((found.bytes.as_slice(), found.note.as_ref()), (&b"one"[..], Some(&note)));
        assert_eq!(found.note.unwrap().validators(), validators);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let folder = path.parent().unwrap();
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2, "nothing temporary is left");

        // Somebody changed the copy: its note says nothing any more.
        fs::write(&path, b"two").unwrap();
        assert_eq!(read_copy(&path, 100).unwrap().note, None);
        fs::write(folder.join("fed.xml.json"), b"{\"sha256\":").unwrap();
        assert_eq!(read_copy(&path, 100).unwrap().note, None);
        assert_eq!(read_copy(&path, 2).err().unwrap().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_copy(&path, 3).unwrap().bytes, b"two");
        // A place that cannot be written is an error, and leaves what was there.
        let inside = path.join("below");
        assert!(write(&inside, b"x", &note, &random).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }
}
