//! What models there are to choose from: those used lately, those in the folder for models, those that were downloaded; and
//! what datasets: those opened lately.
//!
//! Invariants: looking opens no weights; a folder that cannot be read holds nothing; lists are short enough to read.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::download::Hub;
use crate::engine::model::{LoadOptions, ModelSource, SHIPPED};
use crate::engine::room::Bytes;

/// Models, or datasets, used lately that are kept in mind.
const KEPT: usize = 8;
/// Where models are.
const MODELS: &str = "models-used.json";
/// Where datasets are.
const DATASETS: &str = "datasets-opened.json";
/// Models of one folder that are offered.
const MOST: usize = 200;

/// A model, or a dataset, to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// As it would be named on the command line.
    pub name: String,
    /// What it is: its kind and size.
    pub note: String,
    /// Where it is.
    pub place: String,
}

/// What was used lately, newest first.
#[derive(Default, Serialize, Deserialize)]
struct Used {
    names: Vec<String>,
}

fn used(options: &LoadOptions, file: &str) -> Used {
    let text = fs::read(options.hub.cache.join(file)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn note_in(options: &LoadOptions, file: &str, name: &str) -> io::Result<()> {
    let mut used = used(options, file);
    used.names.retain(|known| known != name);
    used.names.insert(0, name.to_owned());
    used.names.truncate(KEPT);
    fs::create_dir_all(&options.hub.cache)?;
    let path = options.hub.cache.join(file);
    let part = path.with_extension("json.part");
    fs::write(&part, serde_json::to_vec(&used)?)?;
    fs::rename(part, path)
}

/// Keeps in mind that the model called `name` was used: a folder or a file by its whole path, which is the same from
/// everywhere.
pub fn note(options: &LoadOptions, name: &str) -> io::Result<()> {
    match ModelSource::of(name) {
        ModelSource::Folder(path) | ModelSource::Gguf(path) => note_path(options, MODELS, &path),
        _ => note_in(options, MODELS, name),
    }
}

fn note_path(options: &LoadOptions, file: &str, path: &Path) -> io::Result<()> {
    note_in(options, file, &std::path::absolute(path)?.to_string_lossy())
}

/// Keeps in mind that the dataset in `folder` was opened.
pub fn note_dataset(options: &LoadOptions, folder: &Path) -> io::Result<()> {
    note_path(options, DATASETS, folder)
}

/// The datasets opened lately that are still there.
pub fn datasets(options: &LoadOptions) -> Vec<Offer> {
    let lately = used(options, DATASETS).names.into_iter();
    let there = lately.filter(|name| Path::new(name).join("dataset.toml").is_file());
    there.map(|name| Offer { name, note: "opened lately".to_owned(), place: String::new() }).collect()
}

/// All models that there are, without those that need no looking for.
pub fn offers(options: &LoadOptions) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let lately = used(options, MODELS).names.into_iter().filter(|name| name != SHIPPED);
    offers.extend(lately.map(|name| Offer { name, note: "used lately".to_owned(), place: String::new() }));
    if let Some(folder) = &options.models {
        offers.extend(models_in(folder, "models folder"));
    }
    offers.extend(downloaded(&options.hub));
    if let Some(shared) = &options.hub.shared {
        offers.extend(shared_snapshots(shared));
    }
    let mut seen = HashSet::new();
    offers.retain(|offer| seen.insert(offer.name.clone()));
    offers
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = listing.filter_map(|entry| Some(entry.ok()?.path())).take(MOST * 10).collect();
    paths.sort();
    paths
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// Bytes of the weights in a folder; `None` where there are none.
fn weights(folder: &Path) -> Option<u64> {
    let sizes = entries(folder).into_iter().filter(|path| extension(path) == "safetensors");
    let sizes: Vec<u64> = sizes.filter_map(|path| Some(fs::metadata(path).ok()?.len())).collect();
    (!sizes.is_empty()).then(|| sizes.iter().sum())
}

/// Whether a file is a GGUF that can be named: of a split one, the first part.
fn names_gguf(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    extension(path).eq_ignore_ascii_case("gguf") && (!name.contains("-of-") || name.contains("-00001-of-"))
}

/// What a path holds, if it is a model.
fn model_at(path: &Path, place: &str) -> Option<Offer> {
    let offer = |note| Offer { name: path.to_string_lossy().into_owned(), note, place: place.to_owned() };
    if path.is_dir() && path.join("config.json").is_file() {
        return weights(path).map(|bytes| offer(format!("safetensors {}", Bytes(bytes))));
    }
    let file = names_gguf(path).then(|| fs::metadata(path).ok()).flatten().filter(fs::Metadata::is_file)?;
    Some(offer(format!("GGUF {}", Bytes(file.len()))))
}

/// The models in a folder and in the folders within it.
fn models_in(folder: &Path, place: &str) -> Vec<Offer> {
    let mut found = Vec::new();
    for path in entries(folder) {
        match model_at(&path, place) {
            Some(offer) => found.push(offer),
            None if path.is_dir() => found.extend(entries(&path).iter().filter_map(|path| model_at(path, place))),
            None => {}
        }
    }
    found.truncate(MOST);
    found
}

/// What was downloaded by this program, by the names of the hub.
fn downloaded(hub: &Hub) -> Vec<Offer> {
    let mut found = Vec::new();
    for (id, home) in of_hub(&hub.folder()) {
        found.extend(model_at(&home, "downloaded").map(|offer| Offer { name: id, ..offer }));
    }
    for (id, home) in of_hub(&hub.gguf_folder()) {
        found.extend(gguf_files(&home, &format!("{id}:")));
    }
    found.truncate(MOST);
    found
}

/// Folders named after models of a hub, with those names.
fn of_hub(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    entries(folder).into_iter().filter(|path| path.is_dir()).filter_map(|path| {
        let (owner, name) = path.file_name()?.to_str()?.split_once("--")?;
        Some((format!("{owner}/{name}"), path))
    })
}

/// The GGUF files below a folder, each in a folder of its own name; `before` stands before their paths.
fn gguf_files(folder: &Path, before: &str) -> Vec<Offer> {
    let mut found = Vec::new();
    for path in entries(folder).into_iter().filter(|path| path.is_dir()) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        match model_at(&path.join(name), "downloaded") {
            Some(offer) => found.push(Offer { name: format!("{before}{name}"), ..offer }),
            None => found.extend(gguf_files(&path, &format!("{before}{name}/"))),
        }
    }
    found
}

/// What other programs have downloaded into the cache that all share.
fn shared_snapshots(folder: &Path) -> Vec<Offer> {
    let mut found = Vec::new();
    for home in entries(folder).into_iter().filter(|path| path.is_dir()) {
        let name = home.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((owner, name)) = name.strip_prefix("models--").and_then(|id| id.split_once("--")) else { continue };
        let commit = fs::read_to_string(home.join("refs").join("main")).unwrap_or_default();
        let snapshot = home.join("snapshots").join(commit.trim());
        if let Some(offer) = model_at(&snapshot, "shared cache") {
            found.push(Offer { name: format!("{owner}/{name}"), ..offer });
        }
        let files = entries(&snapshot).into_iter().filter(|path| names_gguf(path));
        found.extend(files.filter_map(|path| {
            let file = path.file_name()?.to_str()?.to_owned();
            Some(Offer { name: format!("{owner}/{name}:{file}"), ..model_at(&path, "shared cache")? })
        }));
    }
    found.truncate(MOST);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: PathBuf) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, [0; 2000]).unwrap();
    }

    #[test]
    fn what_lies_in_the_usual_places_is_offered_once() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        for path in [
            "models/tiny/config.json",
            "models/tiny/model.safetensors",
            "models/more/a.gguf",
            "models/more/b-00001-of-00002.gguf",
            "models/more/b-00002-of-00002.gguf",
            "models/empty/config.json",
            "cache/hub/acme--small/config.json",
            "cache/hub/acme--small/model.safetensors",
            "cache/hub/gguf/acme--small/q.gguf/q.gguf",
            "cache/hub/gguf/acme--small/q8/q.gguf/q.gguf",
            "cache/hub/gguf/acme--small/q8/q.gguf/tokenizer.json",
            "shared/models--acme--big/snapshots/abc/config.json",
            "shared/models--acme--big/snapshots/abc/model.safetensors",
            "shared/datasets--acme--rows/snapshots/abc/config.json",
        ] {
            touch(at(path));
        }
        fs::create_dir_all(at("shared/models--acme--big/refs")).unwrap();
        fs::write(at("shared/models--acme--big/refs/main"), "abc\n").unwrap();
        let mut options = LoadOptions { models: Some(at("models")), ..LoadOptions::default() };
        (options.hub.cache, options.hub.shared) = (at("cache"), Some(at("shared")));
        for name in ["nano", "acme/small", "/gone.gguf", "acme/small"] {
            note(&options, name).unwrap();
        }
        let found = offers(&options);
        let names: Vec<String> =
            found.iter().map(|offer| offer.name.replace(&home.path().display().to_string(), "~")).collect();
        assert_eq!(
            names,
            [
                "acme/small",
                "/gone.gguf",
                "~/models/more/a.gguf",
                "~/models/more/b-00001-of-00002.gguf",
                "~/models/tiny",
                "acme/small:q.gguf",
                "acme/small:q8/q.gguf",
                "acme/big",
            ]
        );
        assert_eq!((found[2].note.as_str(), found[2].place.as_str()), ("GGUF 2 kB", "models folder"));
        options = LoadOptions::default();
        options.hub.cache = at("nothing");
        assert_eq!(offers(&options), []);
    }

    #[test]
    fn a_path_that_was_used_is_offered_whole() {
        let cache = tempfile::tempdir().unwrap();
        let mut options = LoadOptions::default();
        options.hub.cache = cache.path().to_owned();
        let whole = std::env::current_dir().unwrap().join("sample-data/models/nano").display().to_string();
        for name in ["sample-data/models/nano", "http://localhost:1/v1", "./sample-data/models/nano"] {
            note(&options, name).unwrap();
        }
        let names: Vec<String> = offers(&options).into_iter().map(|offer| offer.name).collect();
        assert_eq!(names, [whole.as_str(), "http://localhost:1/v1"]);
    }

    #[test]
    fn datasets_opened_lately_are_offered_while_they_are_there() {
        let home = tempfile::tempdir().unwrap();
        let folder = |name: &str| home.path().join(name);
        let mut options = LoadOptions::default();
        options.hub.cache = folder("cache");
        for name in ["films", "gone", "films"] {
            note_dataset(&options, &folder(name)).unwrap();
        }
        touch(folder("films").join("dataset.toml"));
        let found = datasets(&options);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((Path::new(&found[0].name), found[0].note.as_str()), (&*folder("films"), "opened lately"));
        assert_eq!(offers(&options), [], "a dataset is no model");
    }
}
