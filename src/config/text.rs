//! What is written about settings: the effective ones, a template, the document. All are made of the same table.

use std::path::{Path, PathBuf};

use clap::Command as Grammar;

use super::{Effective, Kind, SETTINGS, Settled, Source, told};
use crate::app::command::{Context, Entry, TABLE};
use crate::data::sanitize::visible;
use crate::engine::model::ModelSource;

/// `text` as a string of TOML that could drive no terminal.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let mut room = [0; 4];
        let one: &str = c.encode_utf8(&mut room);
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // What has to be made visible elsewhere is written by its number here.
            _ if visible(one) != one => out.push_str(&format!("\\U{:08X}", c as u32)),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Keys as a list of TOML.
pub(super) fn keys<'a>(keys: impl Iterator<Item = &'a str>) -> String {
    let names = keys.map(|key| quoted(if key == " " { "space" } else { key })).collect::<Vec<_>>();
    format!("[{}]", names.join(", "))
}

/// The rows of the command table in order of documentation.
fn commands() -> impl Iterator<Item = (Context, &'static [Entry])> {
    Context::ALL.into_iter().flat_map(|context| {
        let same = |a: &Entry, b: &Entry| (a.context, a.group) == (b.context, b.group);
        TABLE.chunk_by(same).filter(move |rows| rows[0].context == context).map(move |rows| (context, rows))
    })
}

impl Settled {
    /// Every setting and every key with where it comes from, as a configuration file that says the same. `fixed` names
    /// the folder that a setting without a value stands for, if it stands for one.
    pub fn print(&self, grammar: &Grammar, fixed: impl Fn(&str) -> Option<PathBuf>) -> String {
        let mut out = String::new();
        let file = self.file.as_ref();
        match file {
            Some(path) => out.push_str(&format!("# Configuration file: {}\n", visible(&path.to_string_lossy()))),
            None => out.push_str("# Configuration file: none\n"),
        }
        for effective in &self.effective {
            let source = told(&effective.source, file);
            let name = effective.setting.name;
            match shown(effective).or_else(|| fixed(name).map(|path| path.to_string_lossy().into_owned())) {
                Some(value) => out.push_str(&format!("{name} = {}  # {source}\n", effective.setting.written(&value))),
                None => out.push_str(&format!("# {name}: {}  # {source}\n", effective.setting.words(grammar).1)),
            }
        }
        out.push_str("\n[keys]\n");
        for entry in commands().flat_map(|(_, rows)| rows) {
            let line = self.key_lines.iter().find(|(command, _)| *command == entry.command);
            let source = told(&line.map_or(Source::Default, |(_, line)| Source::File(*line)), file);
            out.push_str(&format!("{} = {}  # {source}\n", entry.name, keys(self.keys.keys(entry))));
        }
        out
    }
}

/// A value as it holds wherever the file that it is written to stands.
fn shown(effective: &Effective) -> Option<String> {
    let value = effective.value.as_ref()?;
    let whole =
        |path: &Path| std::path::absolute(path).map_or(value.clone(), |path| path.to_string_lossy().into_owned());
    Some(match effective.setting.kind {
        Kind::Path => whole(Path::new(value)),
        // On the command line a path starts where the program does.
        Kind::Model if value != "none" => match ModelSource::of(value) {
            ModelSource::Folder(path) | ModelSource::Gguf(path) => whole(&path),
            ModelSource::Shipped | ModelSource::Hub(_) | ModelSource::Server(_) => value.clone(),
        },
        Kind::Model | Kind::Text | Kind::Number | Kind::Flag => value.clone(),
    })
}

/// A configuration file in which everything is a comment: every setting, its meaning and its default.
pub fn template(grammar: &Grammar) -> String {
    let mut out = String::from(
        "# Configuration of logoscope. Every setting here is a comment: as it is, the file changes nothing.\n\
         # The command line comes before the environment, that before this file, and this file before the defaults.\n\
         # A path that begins with ~/ starts at the home folder, another relative one at the folder of this file.\n",
    );
    for setting in SETTINGS {
        let (meaning, default) = setting.words(grammar);
        out.push_str(&format!("\n# {meaning}\n# Default: {default}\n"));
        if let Some(variable) = &setting.environment {
            out.push_str(&format!("# Environment: {}\n", variable.name));
        }
        out.push_str(&format!("#{} = {}\n", setting.name, setting.example));
    }
    out.push_str(
        "\n# Keys of the workbench: what is written here stands in place of all keys of the command.\n#[keys]\n",
    );
    for (context, rows) in commands() {
        out.push_str(&format!("\n# {}\n", heading(context, rows)));
        for entry in rows {
            out.push_str(&format!("#{} = {}  # {}\n", entry.name, keys(entry.keys.iter().copied()), entry.doc));
        }
    }
    out
}

fn heading(context: Context, rows: &[Entry]) -> String {
    let group = rows.first().map_or("", |entry| entry.group);
    if matches!(context, Context::Main | Context::Screen) && group != context.title() {
        return format!("{}: {group}", context.title());
    }
    context.title().to_owned()
}

/// docs/config.md.
pub fn document(grammar: &Grammar) -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         Generated from the table of settings (src/config.rs) and the help of the command line; a test compares.\n\n\
         `config.toml` in the user's configuration folder says what the options of every command are when they are not \
         given:\n`~/.config/logoscope` on Linux (or `$XDG_CONFIG_HOME/logoscope`), `~/Library/Application \
         Support/logoscope` on macOS,\n`%APPDATA%\\logoscope\\config` on Windows. `--config FILE` names another file, \
         which must exist; without it no file is\nneeded.\n\n\
         ```sh\n\
         logoscope config path       # where the file is looked for\n\
         logoscope config template   # a file with every setting, all of them comments, to begin with\n\
         logoscope config print      # every setting, its value now and where that comes from; a valid file, too\n\
         ```\n\n\
         The command line comes before the environment, that before the file, and the file before the defaults. What a \
         file\nswitches on, the command line switches off: `--offline=false`, `--ascii=false`, `--no-record=false`.\n\n\
         | setting | what it is | default | environment | example |\n|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let (meaning, default) = setting.words(grammar);
        let variable = setting.environment.as_ref().map_or(String::new(), |variable| format!("`{}`", variable.name));
        let cell = |text: &str| text.replace('|', "\\|");
        let (name, example) = (setting.name, setting.example);
        let (meaning, default) = (cell(&meaning), cell(&default));
        out.push_str(&format!("| `{name}` | {meaning} | {default} | {variable} | `{name} = {example}` |\n"));
    }
    out.push_str(
        "\nA path that begins with `~/` starts at the home folder, another relative one at the folder of the file. `model` \
         is a\npath unless it is `nano`, `none`, an address, or written like a name on a hub (`owner/name`) with nothing \
         there by that\npath; `./owner/name` is always a path. `rerun` and `fork` ask the session's own model unless \
         `--model` is given: a file does\nnot change what was recorded.\n\n\
         A file is taken whole or refused: a name that is not known, a value that does not fit or a key that is taken \
         ends the\nprogram with exit code 2 before it does anything, with one message that names the file, the line, the \
         value and what to\nwrite. A path, a model or a device that fails later is answered with its line as well. `config path`, \
         `config template`,\n`generate` and `--help` read no file, so they work beside a damaged one.\n\n\
         ## Keys\n\n\
         Below a line `[keys]`, a command of the workbench by its name in [keys](keys.md), and one key or a list of them, \
         in place of\nall that it has:\n\n\
         ```toml\n\
         [keys]\n\
         next-query = \"ctrl-n\"\n\
         play-pause = [\"space\", \"f5\"]\n\
         ```\n\n\
         A key is a character (`q`, `Q`, `?`), `space`, `enter`, `esc`, `tab`, `shift-tab`, `backspace`, `delete`, `left`, \
         `right`, `up`,\n`down`, `home`, `end`, `pageup`, `pagedown` or `f1` to `f24`; `ctrl-` may stand before it. Refused \
         are a key that another\ncommand has where both are read, one that would leave a command of the screen without any \
         in a replay, and, while typing\nand in lists, one that types a character. The hints of the status bar, the help \
         and the palette show the chosen keys;\nsentences on boards and in notices name the usual ones.\n",
    );
    out
}
