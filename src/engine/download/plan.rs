//! Which files of a repository make a model.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{BESIDE, Checksum, Known, NEEDED, Record, Refusal, Wanted, flat, parts_of, path_in, refuse, unwritten};
use crate::engine::model::{HubId, is_name};
use crate::engine::weights::{WeightSet, weight_set};

/// What a repository holds, as the hub lists it.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    pub(super) sha: String,
    #[serde(default)]
    pub(super) siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sibling {
    pub(super) rfilename: String,
    #[serde(default)]
    pub(super) size: Option<u64>,
    #[serde(rename = "blobId", default)]
    pub(super) blob: Option<String>,
    #[serde(default)]
    pub(super) lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Lfs {
    pub(super) sha256: String,
    pub(super) size: u64,
}

/// What is to be downloaded, all of one commit.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) commit: String,
    pub(super) files: Vec<Wanted>,
    /// The GGUF file asked for; `None` for a folder.
    pub(super) file: Option<String>,
}

impl Plan {
    pub(super) fn of(listing: &Listing, id: &HubId) -> Result<Self, Refusal> {
        const ODD: &str = "check HF_ENDPOINT, or give the path of a copy";
        if !is_name(&listing.sha) {
            return refuse("the hub names no version of it", ODD);
        }
        let named = |path: &str| listing.siblings.iter().find(|sibling| sibling.rfilename == path);
        let mut wanted: Vec<&Sibling> = Vec::new();
        match &id.file {
            Some(file) => {
                let folder = &file[..file.len() - flat(file).len()];
                for part in parts_of(flat(file)) {
                    let path = format!("{folder}{part}");
                    match named(&path) {
                        Some(sibling) => wanted.push(sibling),
                        None => return refuse(format!("it has no file {path}"), gguf_files(listing)),
                    }
                }
                // Small files first: what is wrong with a repository shows before its weights are here.
                wanted.splice(0..0, named("tokenizer.json"));
            }
            None => {
                let names = listing.siblings.iter().map(|sibling| sibling.rfilename.as_str());
                match weight_set(names.filter(|name| is_name(name))) {
                    WeightSet::Chosen(names) => wanted.extend(names.into_iter().filter_map(named)),
                    WeightSet::Missing => return refuse("it has no safetensors files", gguf_files(listing)),
                    WeightSet::Partial { found, promised } => {
                        return refuse(format!("it has {found} of {promised} weight files"), "choose another model");
                    }
                    WeightSet::Several(names) => {
                        return refuse(
                            format!("it has more than one set of weights: {}", names.join(", ")),
                            "choose a model that brings one, or download it by hand and keep one set",
                        );
                    }
                }
                if let Some(missing) = NEEDED.iter().find(|name| named(name).is_none()) {
                    return refuse(format!("it has no {missing}"), "choose a model that brings it");
                }
                wanted.splice(0..0, BESIDE.iter().filter_map(|name| named(name)));
            }
        }
        let file = |sibling: &Sibling| -> Result<Wanted, Refusal> {
            let hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
            let path = sibling.rfilename.clone();
            let (size, checksum) = match (&sibling.lfs, sibling.size, &sibling.blob) {
                (Some(lfs), ..) if hex(&lfs.sha256, 64) => (lfs.size, Checksum::Sha256(lfs.sha256.to_lowercase())),
                (None, Some(size), Some(blob)) if hex(blob, 40) => (size, Checksum::Git(blob.to_lowercase())),
                _ => return refuse(format!("the hub states no size and checksum of {path}"), ODD),
            };
            Ok(Wanted { path, size, checksum })
        };
        let files = wanted.into_iter().map(file).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { commit: listing.sha.clone(), files, file: id.file.clone() })
    }

    /// Makes the folder ready: what is there of another commit and not of this one goes, and what is left counts as
    /// incomplete.
    pub(super) fn begin(&self, home: &Path) -> Result<(), Refusal> {
        let known = Record::read(home).unwrap_or_default();
        let stays = |name: &str| self.files.iter().any(|file| [flat(&file.path), &file.part()].contains(&name));
        // Others than these somebody may have put there: a statement of what the model was trained for.
        let ours =
            |name: &str| known.files.contains_key(name) || name.ends_with(".part") || name.ends_with(".safetensors");
        let listing = fs::read_dir(home).map_err(|error| unwritten(home, &error))?;
        for path in listing.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if ours(&name) && !stays(&name) {
                fs::remove_file(&path).map_err(|error| unwritten(&path, &error))?;
            }
        }
        let same = |name: &str, known: &Known| {
            self.files.iter().any(|file| flat(&file.path) == name && file.checksum == known.checksum)
        };
        let files = known.files.into_iter().filter(|(name, known)| same(name, known)).collect();
        Record { commit: self.commit.clone(), file: self.file.clone(), whole: false, files }.write(home)
    }

    /// Writes down that a file is complete.
    pub(super) fn note(&self, home: &Path, Wanted { path, size, checksum }: &Wanted) -> Result<(), Refusal> {
        let mut record = Record::read(home).unwrap_or_default();
        record.files.insert(flat(path).to_owned(), Known { size: *size, checksum: checksum.clone() });
        record.write(home)
    }

    /// Writes down that all files are.
    pub(super) fn note_whole(&self, home: &Path) -> Result<(), Refusal> {
        let mut record = Record::read(home).unwrap_or_default();
        record.whole = true;
        record.write(home)
    }

    pub(super) fn result(&self, home: &Path) -> PathBuf {
        path_in(home, self.file.as_deref())
    }
}

/// What to write to get one of the GGUF files of a repository.
pub(super) fn gguf_files(listing: &Listing) -> String {
    let names = listing.siblings.iter().map(|sibling| sibling.rfilename.as_str());
    let some: Vec<&str> = names.filter(|name| name.ends_with(".gguf")).take(5).collect();
    match some.is_empty() {
        true => "choose a model that brings config.json, tokenizer.json and safetensors".to_owned(),
        false => format!("name one of its GGUF files after a colon: {}", some.join(", ")),
    }
}
