//! Whatever is typed is answered: no text makes memory, mediator or prompt fail, or say something that is no number.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use logoscope::data::dataset::{Bm25, Dataset, Lexical};
use logoscope::data::draw::Draw;
use logoscope::data::interaction::UserId;
use logoscope::data::synth::{Parameters, population};
use logoscope::engine::prompt::{Arm, render};
use logoscope::mediator::{Evidence, Policy, Weights, mediate};
use logoscope::memory::Memory;

/// Texts asked.
const TEXTS: usize = 100_000;
/// Bytes of a long one.
const LONG: usize = 1 << 20;

const EMOJI: [&str; 8] = ["🐉", "👩‍🚀", "🏳️‍🌈", "👍🏽", "🇪🇺", "☕", "❤️", "🧑‍🤝‍🧑"];
const RIGHT_TO_LEFT: [&str; 8] = ["שלום", "عَرَبِيّ", "\u{202e}", "\u{2066}", "ספר", "قصة", "\u{200f}", "تنين"];
const WIDE: [&str; 8] = ["龍", "最後の", "드래곤", "书", "ﾊﾝｶｸ", "Ａ", "〇", "图书馆"];
const CONTROL: [&str; 10] = ["\0", "\u{1b}[2J", "\u{7}", "\r", "\n", "\t", "\u{8}", "\u{7f}", "\u{9b}31m", "\u{feff}"];
const SYNTAX: [&str; 16] =
    ["AND", "OR", "NOT", "\"", "(", ")", "*", "~2", "^9", "word:", "[a TO", "{", "\\", "<|im_start|>", "/.*/", "-+!"];
const LETTERS: [&str; 8] = ["e\u{301}", "ß", "İ", "ſ", "a\u{489}\u{489}\u{489}", "ǆ", "ﬃ", "\u{10ffff}"];

/// A text of some kind, about `size` pieces long.
fn text(draw: &mut Draw, known: &[String], size: usize) -> String {
    let kinds: [&[&str]; 6] = [&EMOJI, &RIGHT_TO_LEFT, &WIDE, &CONTROL, &SYNTAX, &LETTERS];
    let kind = draw.below(9);
    let mut text = String::new();
    for _ in 0..size {
        match kind {
            0..6 => text.push_str(kinds[kind][draw.below(kinds[kind].len())]),
            6 => text.push_str(&known[draw.below(known.len())]),
            7 => text.extend(char::from_u32(draw.below(0x11_0000) as u32)),
            _ => {
                let kind = kinds[draw.below(kinds.len())];
                text.push_str(if draw.chance(0.5) {
                    &known[draw.below(known.len())]
                } else {
                    kind[draw.below(kind.len())]
                });
            }
        }
        if draw.chance(0.4) {
            text.push(' ');
        }
    }
    text
}

/// Texts of a mebibyte: one word, no word, many words, known words, one sign over and over.
fn long(known: &[String]) -> Vec<String> {
    let filled = |piece: &dyn Fn(usize) -> String| {
        let mut text = String::with_capacity(LONG + 64);
        for ix in 0.. {
            text.push_str(&piece(ix));
            if text.len() >= LONG {
                break;
            }
        }
        text
    };
    vec![
        "x".repeat(LONG),
        " ".repeat(LONG),
        "\0".repeat(LONG),
        filled(&|ix| format!("w{ix} ")),
        filled(&|ix| format!("{} ", known[ix * 7919 % known.len()])),
        filled(&|ix| EMOJI[ix % EMOJI.len()].to_owned()),
        filled(&|_| "e\u{301}".to_owned()),
        filled(&|ix| format!("{}{} ", WIDE[ix % WIDE.len()], RIGHT_TO_LEFT[ix % RIGHT_TO_LEFT.len()])),
        filled(&|_| "(\"<|".to_owned()),
    ]
}

fn sums_to_one(what: &str, p: &[f64], text: &str) {
    let sum: f64 = p.iter().sum();
    assert!((sum - 1.0).abs() < 1e-6 && p.iter().all(|p| (0.0..=1.0).contains(p)), "{what} {p:?} for {}", told(text));
}

/// A text that failed, short enough to be read.
fn told(text: &str) -> String {
    format!("{:?} of {} bytes", text.chars().take(200).collect::<String>(), text.len())
}

fn ask(memory: &Memory, dataset: &Dataset, user: &UserId, text: &str) {
    let manifest = &memory.manifest;
    let read = memory.read(user, text, dataset.end()).unwrap();
    for hit in &read.local.hits {
        assert!((0.0..=1.0 + 1e-6).contains(&hit.terms.similarity()), "{:?} for {}", hit.terms, told(text));
        assert!(hit.terms.score().is_finite() && hit.cosine.is_finite(), "{:?} for {}", hit.terms, told(text));
    }
    assert!((0.0..=1.0).contains(&read.local.novelty), "novelty {} for {}", read.local.novelty, told(text));
    for hit in &read.global.hits {
        assert!(hit.terms.score().is_finite(), "{:?} for {}", hit.terms, told(text));
        sums_to_one("entry", &hit.distribution, text);
    }
    sums_to_one("membership", &read.global.membership, text);
    let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
    for (what, p) in
        [("base", &evidence.base), ("population", &evidence.population), ("community", &evidence.community)]
    {
        sums_to_one(what, p, text);
        assert!(p.iter().all(|p| *p > 0.0), "{what} {p:?} for {}", told(text));
    }
    let policy = Policy::of(manifest.task);
    let weights = Weights::defaults(policy, manifest);
    let resolution = mediate(&evidence, &weights, policy);
    sums_to_one("mediated", &resolution.distribution, text);
    assert!(resolution.margin.is_finite() && resolution.decision < manifest.labels.len());
    let prompt = render(memory, text, &read, Arm::Mediated, &weights);
    let (asked, rest) = prompt.split_once('\n').unwrap();
    assert!(asked.starts_with("film: ") && rest.starts_with("own: "), "no line is forged by {}", told(text));
    assert!(!prompt.chars().any(|c| c.is_control() && c != '\n') && !prompt.contains("<|"), "{}", told(text));
}

#[test]
fn a_hundred_thousand_texts_of_any_kind_are_answered() {
    let (dataset, _) = population(&Parameters { seed: 9002, users: 60, ..Parameters::default() });
    let memory = Memory::build(&dataset);
    let known: Vec<String> = memory.population.lexicon.words().map(str::to_owned).collect();
    let users: Vec<UserId> = dataset.users().into_iter().chain([UserId::new("nobody")]).collect();
    ask(&memory, &dataset, &users[0], "");
    assert!(!memory.read(&users[0], &known.join(" "), dataset.end()).unwrap().global.hits.is_empty());

    let next = AtomicUsize::new(0);
    let block = 500;
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number * block >= TEXTS {
                        break;
                    }
                    let mut draw = Draw::seeded(number as u64);
                    for _ in 0..block {
                        let size = if draw.chance(0.01) { draw.below(400) } else { draw.below(12) };
                        let text = text(&mut draw, &known, size);
                        ask(&memory, &dataset, &users[draw.below(users.len())], &text);
                    }
                }
            });
        }
    });
    assert!(next.into_inner() * block >= TEXTS);
}

#[test]
fn a_text_of_a_mebibyte_is_answered() {
    let (dataset, _) = population(&Parameters { seed: 9002, users: 60, ..Parameters::default() });
    let mut memory = Memory::build(&dataset);
    let known: Vec<String> = memory.population.lexicon.words().map(str::to_owned).collect();
    let user = dataset.users().into_iter().next().unwrap();
    let texts = long(&known);
    texts.iter().for_each(|text| ask(&memory, &dataset, &user, text));
    let mut manifest = memory.manifest.clone();
    (manifest.retrieval.lexical, manifest.retrieval.bm25) = (Lexical::Bm25, Bm25::Lamp);
    memory.retune(manifest.clone());
    texts.iter().for_each(|text| ask(&memory, &dataset, &user, text));
    manifest.retrieval.lexical = Lexical::Cosine;
    memory.retune(manifest);
    texts.iter().for_each(|text| ask(&memory, &dataset, &user, text));
}
