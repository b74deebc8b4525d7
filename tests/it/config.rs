//! The configuration through the real binary: what holds, who says so, and every way to be wrong; the manual and the
//! completions, which are made of the same grammar.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use clap::CommandFactory;
use logoscope::app::command::TABLE;
use logoscope::cli::Cli;
use logoscope::config::{SETTINGS, document};
use tempfile::TempDir;

use crate::pty::Session;
use crate::session::small;
use crate::workbench::assert_document;

/// A home folder with a configuration file, or without one.
struct Home(TempDir);

impl Home {
    fn new(config: Option<&str>) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(home.config().parent().unwrap()).unwrap();
        config.into_iter().for_each(|text| fs::write(home.config(), text).unwrap());
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn config(&self) -> std::path::PathBuf {
        self.path().join("config/logoscope/config.toml")
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logoscope"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null()).env_clear();
        command.env("HOME", self.path()).env("XDG_CONFIG_HOME", self.path().join("config"));
        command.envs(environment.iter().copied()).output().unwrap()
    }

    /// Standard output of what must succeed.
    fn said(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let output = self.run(arguments, environment);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Every setting and key that is printed, with its value and where that comes from.
    fn printed(&self, arguments: &[&str], environment: &[(&str, &str)]) -> BTreeMap<String, (String, String)> {
        let text = self.said(&[&["config", "print"], arguments].concat(), environment);
        toml::from_str::<toml::Table>(&text).unwrap();
        let parts = |line: &str| {
            let (line, source) = line.rsplit_once("  # ")?;
            let (name, value) = line.split_once(" = ").or_else(|| line.strip_prefix("# ")?.split_once(": "))?;
            Some((name.to_owned(), (value.to_owned(), source.to_owned())))
        };
        text.lines().filter_map(parts).collect()
    }
}

/// A setting, what a file says, what that is when printed, the same of a command line, and what it is by default. `~` is
/// the home folder, `@` that of the file, where the program starts is `~` too.
const VALUES: [(&str, &str, &str, &str, &str, &str); 14] = [
    ("data", "\"news\"", "\"@/news\"", "other", "\"~/other\"", "the embedded sample, film-tags"),
    ("model", "\"~/m.gguf\"", "\"~/m.gguf\"", "none", "\"none\"", "\"nano\""),
    ("device", "\"cuda:1\"", "\"cuda:1\"", "cpu", "\"cpu\"", "\"auto\""),
    ("quantize", "\"q8_0\"", "\"q8_0\"", "q4k", "\"q4k\"", "not set"),
    ("context", "8_192", "8192", "1024", "1024", "4096, or fewer if it knows fewer"),
    ("memory", "\"8G\"", "\"8G\"", "any", "\"any\"", "what is available"),
    ("offline", "true", "true", "false", "false", "false"),
    ("models", "\"../models\"", "\"@/../models\"", "/m", "\"/m\"", "\"~/.local/share/logoscope/models\""),
    ("store", "\"/s\"", "\"/s\"", "s", "\"~/s\"", "\"~/.cache/logoscope/stores\""),
    ("log", "\"~/l\"", "\"~/l\"", "l2", "\"~/l2\"", "not set"),
    ("ascii", "true", "true", "false", "false", "false"),
    ("color", "\"always\"", "\"always\"", "never", "\"never\"", "\"auto\""),
    ("theme", "\"night\"", "\"night\"", "day", "\"day\"", "\"ansi\""),
    ("no-record", "true", "true", "false", "false", "false"),
];

#[test]
fn the_command_line_comes_before_the_file_and_the_file_before_the_defaults() {
    assert!(SETTINGS.iter().map(|setting| setting.name).eq(VALUES.map(|row| row.0)), "every setting has a row");
    let text: String = VALUES.iter().map(|(name, value, ..)| format!("{name} = {value}\n")).collect();
    let (bare, full) = (Home::new(None), Home::new(Some(&text)));
    let place = |home: &Home, value: &str| {
        let (own, folder) = (home.path().to_str().unwrap(), home.config().parent().unwrap().to_owned());
        value.replace('@', folder.to_str().unwrap()).replace('~', own)
    };
    let defaults = bare.printed(&[], &[]);
    let of_file = full.printed(&[], &[]);
    let arguments = VALUES.map(|(name, _, _, given, ..)| format!("--{name}={given}"));
    // Those of the workbench alone stand before a command.
    let given = full.said(&[&arguments.each_ref().map(String::as_str)[..], &["config", "print"]].concat(), &[]);
    for (line, (name, _, written, _, told, default)) in (1..).zip(VALUES) {
        assert_eq!(defaults[name], (place(&bare, default), "default".to_owned()), "{name}");
        let source = format!("{}:{line}", full.config().display());
        assert_eq!(of_file[name], (place(&full, written), source), "{name}");
        let told = format!("\n{name} = {}  # command line\n", place(&full, told));
        assert!(given.contains(&told), "{told} in {given}");
    }
}

#[test]
fn the_environment_comes_before_the_file_and_after_the_command_line() {
    let rows = [
        ("NO_COLOR", "1", "color", "\"always\"", "\"never\"", "--color=always"),
        ("HF_HUB_OFFLINE", "1", "offline", "false", "true", "--offline=false"),
        ("HF_HUB_OFFLINE", "TRUE", "offline", "false", "true", "--offline=false"),
        // Whoever says no was not heard over a file that says yes.
        ("HF_HUB_OFFLINE", "0", "offline", "true", "false", "--offline=true"),
        ("HF_HUB_OFFLINE", "No", "offline", "true", "false", "--offline"),
    ];
    for (variable, value, name, written, told, argument) in rows {
        let home = Home::new(Some(&format!("\n{name} = {written}\n")));
        let of_file = (written.to_owned(), format!("{}:2", home.config().display()));
        let around = (told.to_owned(), format!("environment, {variable}"));
        assert_eq!(home.printed(&[], &[(variable, value)])[name], around);
        // A variable that says nothing leaves the file its say.
        assert_eq!(home.printed(&[], &[(variable, "")])[name], of_file);
        let given = (written.to_owned(), "command line".to_owned());
        assert_eq!(home.printed(&[argument], &[(variable, value)])[name], given);
    }
}

#[test]
fn a_file_stands_in_for_options() {
    let home = Home::new(Some("data = \"small\"\nmodel = \"none\"\n"));
    let (dataset, _) = small();
    dataset.write(&home.config().with_file_name("small")).unwrap();
    let question = ["ask", "--user", "u1", "--query", "tide", "--format", "json"];
    let by_file = home.said(&question, &[]);
    fs::remove_file(home.config()).unwrap();
    let by_options = ["--data", "config/logoscope/small", "--model", "none"];
    let timeless = |text: &str| {
        let mut answer: serde_json::Value = serde_json::from_str(text).unwrap();
        answer["arms"].as_object_mut().unwrap().values_mut().for_each(|arm| {
            arm["ms"].take();
            arm["ttft_ms"].take();
        });
        answer
    };
    assert_eq!(timeless(&by_file), timeless(&home.said(&[&question[..], &by_options].concat(), &[])));
    // Without either, somebody of another dataset is not known.
    assert_eq!(home.run(&[&question[..], &["--model", "none"]].concat(), &[]).status.code(), Some(2));
}

#[test]
fn a_named_file_must_exist_and_is_read_instead() {
    let home = Home::new(Some("theme = \"night\"\n"));
    fs::write(home.path().join("other.toml"), "model = \"none\"\n").unwrap();
    let printed = home.printed(&["--config", "other.toml"], &[]);
    assert_eq!(printed["theme"].1, "default");
    assert_eq!(printed["model"].1, format!("{}:1", home.path().join("other.toml").display()));
    let output = home.run(&["config", "print", "--config", "none.toml"], &[]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("none.toml: cannot be read: ") && told.contains("name another file with --config"), "{told}");
}

/// What the file names may fail long after the file was read; the message then named an option that nobody had given.
#[test]
fn what_fails_later_names_the_line_it_is_set_in() {
    for (text, what) in [
        ("theme = \"day\"\ndata = \"/nowhere/films\"\n", "data"),
        ("\nmodel = \"/nowhere/model.gguf\"\n", "model"),
        ("\nlog = \"/nowhere/log\"\n", "log"),
    ] {
        let home = Home::new(Some(text));
        let output = home.run(&["ask", "--user", "u017", "--query", "sea"], &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        let place = format!("; {what} is set in {}:2", home.config().display());
        assert!(output.status.code() == Some(2) && error.contains(&place), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let home = Home::new(Some("data = \"/elsewhere\"\n"));
    let output = home.run(&["ask", "--data", "/nowhere", "--user", "u017", "--query", "sea"], &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!error.contains("is set in"), "the command line decided: {error}");
    // A folder that is right was named beside what was mistyped in it.
    let home = Home::new(Some("models = \"/nowhere/models\"\n"));
    let model = ["ask", "--model", "/nowhere/models/typo.gguf", "--user", "u017", "--query", "sea"];
    let error = String::from_utf8(home.run(&model, &[]).stderr).unwrap();
    assert!(error.contains("/nowhere/models/typo.gguf") && !error.contains("is set in"), "{error}");
}

#[test]
fn what_is_wrong_is_told_with_line_value_and_remedy() {
    let cases: &[(&str, &[&str])] = &[
        ("= 1\n", &[":1: ", "name = value"]),
        ("theme = \"day\"\nmodel = none\n", &[":2: model is none; write a text in quotes"]),
        ("theme = \"day\"\ntheme = \"day\"\n", &[":2: theme is written twice"]),
        ("theme\n", &[":1: ", "name = value"]),
        ("\nmodle = \"none\"\n", &[":2: there is no setting 'modle'", "did you mean model?"]),
        ("no_record = true\n", &[":1: there is no setting 'no_record'", "did you mean no-record?"]),
        ("them = \"day\"\n", &["did you mean theme?"]),
        ("frobnicate = 1\n", &[":1: there is no setting 'frobnicate'; `logoscope config template`"]),
        ("config = \"x\"\n", &[":1: there is no setting 'config'"]),
        ("[ui]\ntheme = \"day\"\n", &[":1: there is no setting 'ui'"]),
        ("quit = \"x\"\n", &[":1: 'quit' is a command of the workbench", "[keys]"]),
        ("theme = 1\n", &[":1: theme is 1; write a text in quotes, such as theme = \"night\""]),
        ("theme = \"dusk\"\n", &[":1: theme is \"dusk\": give one of ansi, night, day, mono"]),
        ("device = \"gpu\"\n", &[":1: device is \"gpu\": 'gpu' is no device; write auto, cpu"]),
        ("color = \"blue\"\n", &[":1: color is \"blue\": write one of auto, always, never"]),
        ("quantize = \"q9\"\n", &[":1: quantize is \"q9\": ", "choose one of q2k"]),
        ("memory = \"much\"\n", &[":1: memory is \"much\": ", "write 8G, 800M or any"]),
        ("memory = 8\n", &[":1: memory is 8; write a text in quotes, such as memory = \"8G\""]),
        ("context = \"8192\"\n", &[":1: context is \"8192\"; write a whole number, such as context = 8192"]),
        ("context = 8.5\n", &[":1: context is 8.5; write a whole number"]),
        ("context = 100\n", &[":1: context is 100: give a whole number from 512 to 16777216"]),
        ("context = 0xffffffffff\n", &[":1: context is 0xffffffffff: ", "from 512 to 16777216"]),
        ("context = 99999999999999999999\n", &[":1: context is 99999999999999999999; write a whole number"]),
        ("ascii = \"yes\"\n", &[":1: ascii is \"yes\"; write true or false, such as ascii = true"]),
        ("offline = 1\n", &[":1: offline is 1; write true or false"]),
        ("data = \"\"\n", &[":1: data is \"\"; write a path in quotes", "or leave the line out"]),
        ("data = [\"a\"]\n", &[":1: data is [\"a\"]; write a path in quotes"]),
        ("log = \"a\\u0000b\"\n", &[":1: log is "]),
        ("model = \" \"\n", &[":1: model is \" \"; write a text in quotes"]),
        ("model = true\n", &[":1: model is true; write a text in quotes"]),
        ("keys = \"q\"\n", &[":1: keys is \"q\"; write commands and keys below a line [keys]"]),
        ("[keys]\nqiut = \"q\"\n", &[":2: there is no command 'qiut'", "`logoscope config template`"]),
        ("[keys]\nnext-qeury = \"q\"\n", &[":2: there is no command 'next-qeury'; did you mean next-query?"]),
        ("[keys]\ntheme = \"day\"\n", &[":2: 'theme' is a setting and no command; write it above the line [keys]"]),
        ("[keys]\nquit = 1\n", &[":2: the keys of quit are 1; write one key or a list of keys", "quit = [\"q\"]"]),
        ("[keys]\nquit = []\n", &[":2: the keys of quit are []; write one key"]),
        ("[keys]\nquit = [\"q\", 1]\n", &[":2: the keys of quit are [\"q\", 1]; write one key"]),
        ("[keys]\nquit = \"hyper-q\"\n", &[":2: the keys of quit are \"hyper-q\": 'hyper-q' is no key; write it as q"]),
        ("[keys]\nquit = \"ctrl-i\"\n", &[":2: ", "a terminal reports 'ctrl-i' as tab"]),
        ("[keys]\n\nquit = \"n\"\n", &[":3: the keys of quit: 'n' runs next-query already", "choose another key"]),
        ("[keys]\nnext-query = \"f5\"\nundo = \"f5\"\n", &["'f5' runs ", "already"]),
        ("[keys]\naccept = \"x\"\n", &[":2: the keys of accept: 'x' types itself"]),
        (
            "[keys]\nweight-up = \".\"\n",
            &[
                ":2: the keys of weight-up: weight-up would have no key left in a replay, where '.' runs step-on;",
                "another one for step-on",
            ],
        ),
        ("model = nano\n", &[":1: model is nano; write a text in quotes, such as model = "]),
        ("theme = \"day\"\nascii = True\n", &[":2: ascii is True; write true or false, such as ascii = true"]),
        ("ascii = true\nascii = true\n", &[":2: ascii is written twice; keep one of its lines"]),
        ("[keys]\nzoom = x\n", &[":2: the keys of zoom are x; write one key or a list of keys in quotes"]),
        ("thme = day\n", &[":1: there is no setting 'thme'; did you mean theme?"]),
    ];
    let judge = |home: &Home, named: &str, told: &[&str]| {
        let output = home.run(&["ask", "--log", "log", "--user", "u017", "--query", "sea", "--model", "none"], &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        let start = format!("logoscope: {}", home.config().display());
        assert_eq!(output.status.code(), Some(2), "{named}: {error}");
        assert!(output.stdout.is_empty() && !home.path().join("log").exists(), "{named}: something was done before");
        assert!(error.starts_with(&start) && error.lines().count() == 1, "{named}: {error}");
        assert!(told.iter().all(|part| error.contains(part)), "{named}: {error}wanted {told:?}");
    };
    let whole = |told: &[&str]| told.iter().any(|part| part.starts_with(':'));
    for (text, told) in cases {
        assert!(whole(told) || text.contains("them =") || text.contains("f5"), "{text}: a line is told");
        judge(&Home::new(Some(text)), text, told);
    }
    let home = Home::new(None);
    fs::write(home.config(), b"theme = \"day\"\nmodel = \"\xff\"\n").unwrap();
    judge(&home, "not UTF-8", &[":2: byte 10 of the line is not UTF-8; save the file as UTF-8"]);
    let home = Home::new(Some(&"# long\n".repeat(50_000)));
    judge(&home, "too long", &["is longer than 200 kB"]);
    let home = Home::new(None);
    fs::create_dir(home.config()).unwrap();
    judge(&home, "a folder", &["cannot be read: ", "make it readable, or remove it"]);
    // What helps to mend it works beside it.
    for arguments in [&["config", "path"][..], &["config", "template"], &["generate", "man"], &["--help"]] {
        assert_eq!(home.run(arguments, &[]).status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn the_path_is_told_and_whether_a_file_is_there() {
    let home = Home::new(None);
    let output = home.run(&["config", "path"], &[]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}\n", home.config().display()));
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no file at that path"));
    fs::write(home.config(), "").unwrap();
    assert!(home.run(&["config", "path"], &[]).stderr.is_empty());
    let named = home.run(&["config", "path", "--config", "mine.toml"], &[]);
    assert_eq!(String::from_utf8(named.stdout).unwrap(), format!("{}\n", home.path().join("mine.toml").display()));
}

#[test]
fn what_is_printed_is_a_file_that_says_the_same() {
    let text = "data = \"a \\\"b\\\\c\\u202e \u{1f3ac} # d\"\ncontext = 4_096\nascii = true\nmodel = \"owner/name\"\n\
                [keys]\nnext-query = \"p\"\nprevious-query = [\"n\", \"f2\"]\nplay-pause = [\"space\", \"f5\"]\n";
    let home = Home::new(Some(text));
    let first = home.said(&["--theme", "day", "config", "print", "--device", "cuda:3"], &[]);
    assert!(!first.contains('\u{202e}'), "nothing that turns text around");
    let moved = home.path().join("elsewhere/moved.toml");
    fs::create_dir(moved.parent().unwrap()).unwrap();
    fs::write(&moved, &first).unwrap();
    let second = home.said(&["config", "print", "--config", moved.to_str().unwrap()], &[]);
    let values = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
    assert_eq!(values(&first), values(&second));
    assert_eq!(values(&second)["keys"].as_table().unwrap().len(), TABLE.len());
    assert_eq!(values(&second)["theme"].as_str(), Some("day"));
    let own = format!("next-query = [\"p\"]  # {}:6\n", home.config().display());
    assert!(first.contains(&own) && first.contains("\nquit = [\"q\"]  # default\n"), "{first}");
}

#[test]
fn the_template_changes_nothing_until_a_comment_is_taken_away() {
    let home = Home::new(None);
    let template = home.said(&["config", "template"], &[]);
    let before = home.printed(&[], &[]);
    fs::write(home.config(), &template).unwrap();
    assert_eq!(home.printed(&[], &[]), before);
    // Every line that could be meant: a comment without a blank after its mark.
    let meant = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    fs::write(home.config(), template.lines().map(meant).collect::<String>()).unwrap();
    let after = home.printed(&[], &[]);
    assert_eq!(after.len(), SETTINGS.len() + TABLE.len());
    for (name, (_, source)) in after {
        assert!(source.starts_with(home.config().to_str().unwrap()), "{name}: {source}");
    }
}

#[test]
fn every_common_option_can_be_set() {
    let grammar = Cli::command();
    // What a file cannot say: where it is, and what is looked at once.
    let options = grammar.get_arguments().filter_map(|arg| arg.get_long());
    let settable: Vec<&str> = options.filter(|name| !["config", "session"].contains(name)).collect();
    for name in &settable {
        assert!(SETTINGS.iter().any(|setting| setting.name == *name), "--{name} is no setting");
    }
    assert_eq!(settable.len(), SETTINGS.len());
}

#[test]
fn the_configuration_document_is_the_table_of_settings() {
    assert_document("docs/config.md", &document(&Cli::command()), |written, made| written == made);
}

#[test]
fn chosen_keys_theme_and_glyphs_reach_the_workbench() {
    let home =
        Home::new(Some("model = \"none\"\nascii = true\ntheme = \"day\"\n[keys]\nquit = \"f10\"\nhelp = \"ctrl-g\"\n"));
    let folder = home.path().join("config");
    let mut session = Session::start(200, 60, &[], &[("XDG_CONFIG_HOME", folder.to_str().unwrap())]);
    session.until_shown("margin");
    session.until_shown("f10 quit");
    session.until("a theme with a background and no glyphs", |screen, text| {
        let background = screen.cell(5, 5).is_some_and(|cell| cell.bgcolor() != vt100::Color::Default);
        background && !text.contains(['│', '─', '▸'])
    });
    // Its old key does nothing any more, the new one does what it did.
    session.keys("q?\x07");
    session.until_shown("Type a query; Enter asks");
    session.keys("\x1b");
    session.until("the help is closed", |_, text| !text.contains("Type a query; Enter asks"));
    session.keys("\x1b[21~");
    assert_eq!(session.end().exit_code(), 0);
}

/// Every command of the grammar with those above it: `store`, `store path`.
fn commands(above: &str, command: &clap::Command) -> Vec<String> {
    let one = |below: &clap::Command| {
        let name = format!("{above}{}", below.get_name());
        [vec![name.clone()], commands(&format!("{name} "), below)].concat()
    };
    command.get_subcommands().flat_map(one).collect()
}

#[test]
fn the_manual_names_every_command_and_option() {
    let home = Home::new(None);
    let page = home.said(&["generate", "man"], &[]).replace("\\-", "-").replace("\\fR", "").replace("\\fB", "");
    let grammar = Cli::command();
    let named = commands("", &grammar);
    assert!(named.len() > 30 && named.contains(&"store path".to_owned()), "{named:?}");
    for name in &named {
        assert!(page.contains(&format!("\n.SS \"logoscope {name}\"\n")), "{name} has no heading");
    }
    fn options(command: &clap::Command) -> Vec<String> {
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let own = shown.filter_map(|arg| arg.get_long().map(|long| format!("--{long}")));
        own.chain(command.get_subcommands().flat_map(options)).collect()
    }
    for option in options(&grammar) {
        assert!(page.contains(&option), "{option} is not in the manual");
    }
    let told = home.said(&["generate", "man", "--out", "pages"], &[]);
    assert_eq!(told, format!("pages: {} pages\n", named.len() + 1));
    for name in [vec![String::new()], named].concat() {
        let file = format!("logoscope {name}").trim_end().replace(' ', "-") + ".1";
        let text = fs::read_to_string(home.path().join("pages").join(&file)).unwrap_or_default();
        assert!(text.contains(".SH SYNOPSIS"), "{file}");
    }
}

#[test]
fn completions_name_every_command() {
    let home = Home::new(None);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.said(&["generate", "completions", shell], &[]);
        for name in commands("", &Cli::command()) {
            let last = name.rsplit(' ').next().unwrap();
            assert!(script.contains(last), "{shell} does not complete {name}");
        }
        assert!(script.contains("quantize") && script.contains("logoscope"), "{shell}");
    }
    let output = home.run(&["generate", "completions", "tcsh"], &[]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn who_leaves_out_what_to_do_is_told_the_choice() {
    let home = Home::new(None);
    for (command, choice) in [("config", "path, print, template"), ("generate", "man, completions"), ("store", "path")]
    {
        let output = home.run(&[command], &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error.lines().count()), (Some(2), 3), "{error}");
        assert!(error.contains("requires a subcommand") && error.contains(choice), "{error}");
    }
}
