//! A folder for what a GGUF file lacks, for as long as the model is read.
//!
//! Invariants: it is new, so that nothing lies in it that somebody else put there, and nobody else may look into it; one that
//! a killed process left behind goes with the next.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use super::files::{Check, ModelFiles};

/// Where such folders are, in this program's cache.
const FOLDER: &str = "loading";

/// A folder with a model's tokenizer, its chat template, and one that says nothing, so that the library looks for no other.
pub(super) struct Scratch {
    pub folder: PathBuf,
    /// Beside it; held as long as the folder is needed.
    lock: PathBuf,
    _held: File,
}

impl Scratch {
    /// A folder in `cache` with what the library is to find of `files`.
    pub(super) fn with(files: &ModelFiles, cache: &Path) -> Check<Self> {
        let root = cache.join(FOLDER);
        let made = || -> io::Result<Self> {
            sweep(&root);
            let scratch = Self::new(&root)?;
            scratch.fill(files)?;
            Ok(scratch)
        };
        made().map_err(|error| {
            let remedy = "make it writable, or set XDG_CACHE_HOME to another folder";
            (format!("{} cannot be written: {error}", root.display()), remedy.to_owned())
        })
    }

    /// An empty folder in `root`.
    fn new(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let name = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let lock = root.join(format!("{name}.lock"));
        // Before the folder is there, so that whoever sweeps never finds one that nobody holds.
        let held = File::create_new(&lock)?;
        // A system without locks leaves folders behind; it sweeps none that is in use.
        let _ = held.try_lock();
        let scratch = Self { folder: root.join(name), lock, _held: held };
        #[cfg_attr(not(unix), allow(unused_mut))]
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&scratch.folder)?;
        Ok(scratch)
    }

    fn fill(&self, files: &ModelFiles) -> io::Result<()> {
        files.tokenizer.save(self.tokenizer(), false).map_err(io::Error::other)?;
        if let Some(chat) = &files.chat {
            // As a folder holds them.
            let known =
                |token: &Option<String>| token.clone().filter(|text| files.tokenizer.token_to_id(text).is_some());
            let settings = serde_json::json!({"bos_token": known(&chat.bos), "eos_token": known(&chat.eos)});
            fs::write(self.folder.join("tokenizer_config.json"), settings.to_string())?;
            fs::write(self.folder.join("chat_template.jinja"), &chat.template)?;
        }
        fs::write(self.template(), r#"{"chat_template": ""}"#)
    }

    pub(super) fn tokenizer(&self) -> PathBuf {
        self.folder.join("tokenizer.json")
    }

    pub(super) fn template(&self) -> PathBuf {
        self.folder.join("template.json")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.lock);
    }
}

/// Removes the folders in `root` that nobody holds any more.
fn sweep(root: &Path) {
    for folder in fs::read_dir(root).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())) {
        let lock = folder.with_extension("lock");
        if folder != lock && File::open(&lock).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(&folder);
            let _ = fs::remove_file(&lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_new_for_nobody_else_and_goes_with_the_model() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (Scratch::new(root.path()).unwrap(), Scratch::new(root.path()).unwrap());
        assert_ne!(one.folder, two.folder);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&one.folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
        drop((one, two));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_is_held_is_not() {
        let root = tempfile::tempdir().unwrap();
        let left = Scratch::new(root.path()).unwrap();
        fs::write(left.folder.join("chat_template.jinja"), "of another model").unwrap();
        let held = Scratch::new(root.path()).unwrap();
        // As a process ends that cannot tidy up: its locks go, its files stay.
        let folder = left.folder.clone();
        left._held.unlock().unwrap();
        std::mem::forget(left);
        sweep(root.path());
        assert!(!folder.exists() && held.folder.exists());
        drop(held);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
