//! What the screens look like: snapshots of text and styles at three sizes, and no panic at any size.
//!
//! The state is made by messages alone, from a small dataset and a memory read written out here, so that a snapshot
//! changes only when the view does.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logoscope::app::command;
use logoscope::app::effect::Effect;
use logoscope::app::inquiry::Told;
use logoscope::app::keymap::Chord;
use logoscope::app::message::Message;
use logoscope::app::state::{Data, Start, State};
use logoscope::app::update::update;
use logoscope::data::dataset::{AgeUnit, Dataset};
use logoscope::data::interaction::Timestamp;
use logoscope::engine::engine::{Caps, GenStats, LoadStage, ScoreKind};
use logoscope::engine::fit::Training;
use logoscope::engine::host::{HostEvent, Ticket};
use logoscope::engine::prompt::Blocks;
use logoscope::memory::MemoryRead;
use logoscope::memory::collective::Parts;
use logoscope::memory::explain::Node;
use logoscope::memory::fusion::{EntryTerms, LocalTerms, Similarity};
use logoscope::memory::global::{GlobalHit, GlobalRead, PeriodView};
use logoscope::memory::history::{CommunityHistory, Epoch, Group};
use logoscope::memory::lexical::DocumentCounts;
use logoscope::memory::lineage::{Change, Flow, Share};
use logoscope::memory::local::{LocalHit, LocalRead};
use logoscope::memory::portrait::{Characteristic, Portrait, Style};
use logoscope::memory::profile::Profile;
use logoscope::memory::why_not::{Candidate, CandidateKind, Rank, Reason};
use logoscope::theme::Theme;
use logoscope::view::render;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

const MANIFEST: &str = "format = 1\nname = \"films\"\ntask = \"labels\"\nlabels = [\"noir\", \"dystopia\", \"comedy\", \"drama\"]\n\
                        [calibration]\nmodel-trust = 0.25\n";

/// A small dataset: u017 with three items, others with two each, two judged queries.
pub fn dataset() -> Dataset {
    let mut interactions = String::new();
    let mut push = |id: &str, user: &str, day: i64, query: &str, response: &str| {
        let at = 1_700_000_000 + day * 86_400;
        let _ = writeln!(
            interactions,
            "{{\"id\":\"{id}\",\"user\":\"{user}\",\"at\":{at},\"query\":\"{query}\",\"response\":\"{response}\"}}"
        );
    };
    push("i1", "u017", 40, "A retired diver returns to the drowned streets of his youth", "noir");
    push("i2", "u017", 80, "Two bakers swap their ovens and their wives", "comedy");
    push("i3", "u017", 88, "A detective drinks alone while the tide rises", "noir");
    for user in 1..9 {
        push(&format!("a{user}"), &format!("u{user:03}"), 20 + user, "A curfew in the flooded city", "dystopia");
        push(&format!("b{user}"), &format!("u{user:03}"), 30 + user, "The tide takes the last tower", "drama");
    }
    let queries = "{\"id\":\"q1\",\"user\":\"u017\",\"at\":1708640000,\"query\":\"A diver maps the drowned city under curfew\",\"gold\":\"noir\"}\n\
                   {\"id\":\"q2\",\"user\":\"u003\",\"at\":1708700000,\"query\":\"A \u{2066}hostile\u{1b}[31m title 日本語\",\"gold\":\"drama\"}\n"
        .replace('\u{1b}', "\\u001b");
    let paths = [Path::new("dataset.toml"), Path::new("interactions.jsonl"), Path::new("queries.jsonl")];
    Dataset::parse(paths, [MANIFEST, &interactions, &queries]).unwrap()
}

/// What memory says to the first judged query.
pub fn memory_read() -> MemoryRead {
    let item = |id: &str| dataset().interactions.iter().position(|interaction| interaction.id == id).unwrap();
    let hit = |id: &str, label, lexical, cosine, age_days, recency_rank| LocalHit {
        item: item(id),
        label,
        terms: LocalTerms::new(Similarity::combine(lexical, cosine, 0.5), 1.0 - age_days / 1000.0),
        cosine,
        age_days,
        recency_rank,
        crowd: None,
        length: None,
    };
    let hits =
        vec![hit("i1", 0, 0.68, 0.94, 20.0, 2), hit("i3", 0, 0.66, 0.9, 12.0, 0), hit("i2", 2, 0.1, 0.2, 20.0, 1)];
    let profile = Profile::of(4, hits.iter().map(|hit| (hit.label, hit.age_days)));
    let entry = |number, similarity, factor, distribution: [f64; 4], users, words: &[&str]| GlobalHit {
        id: format!("p5-c4-{number}"),
        community: Some(4),
        terms: EntryTerms::new(Similarity::combine(similarity, similarity, 0.5), factor),
        distribution: distribution.to_vec(),
        mass: 12.0,
        users,
        top_terms: words.iter().map(|word| (*word).to_owned()).collect(),
        last_seen: Timestamp(1_702_000_000),
    };
    MemoryRead {
        local: LocalRead { shown: 2, hits, profile, novelty: 0.25, age_unit: AgeUnit::Days },
        scored: None,
        written: None,
        global: GlobalRead {
            base: vec![0.2, 0.3, 0.3, 0.2],
            period: Some(PeriodView { number: 5, end: Timestamp(1_708_000_000) }),
            membership: vec![0.02, 0.05, 0.05, 0.05, 0.83],
            members: vec![9, 12, 20, 11, 31],
            hits: vec![
                entry(1, 0.81, 0.95, [0.21, 0.52, 0.07, 0.2], 19, &["flooded", "city", "curfew", "tide"]),
                entry(2, 0.51, 1.0, [0.08, 0.61, 0.11, 0.2], 11, &["tower", "last"]),
            ],
            population: vec![0.1, 0.65, 0.1, 0.15],
            community: vec![0.08, 0.75, 0.05, 0.12],
            parts: Parts::silent(4),
            support: 26,
            suppressed: 2,
        },
    }
}

/// A model that answers at once.
pub fn caps() -> Caps {
    Caps {
        name: "nano".into(),
        device: "cpu".into(),
        dtype: "f32".into(),
        parameters: 3_100_000,
        max_context: 512,
        score: ScoreKind::Exact,
        chat: false,
    }
}

/// The state right after the start.
pub fn started() -> State {
    let training = Training { tasks: None, shipped: true };
    State::new(Start { dataset_name: "films".into(), model_name: Some("nano".into()), training, ..Start::default() })
}

/// The state with memory read and the model loaded, nothing answered yet; the last effects beside it.
pub fn asked() -> (State, Vec<Effect>) {
    let mut state = started();
    update(&mut state, Message::DataRead(Arc::new(Data::of(dataset()))));
    update(&mut state, Message::Host(HostEvent::Ready(caps())));
    update(&mut state, Message::MemoryBuilt { periods: 8, opening: Some(0) });
    let effects = speak(&mut state);
    (state, effects)
}

/// What there is to put into prompts.
pub fn blocks() -> Box<Blocks> {
    let own = ["own: noir 6", "- noir | near 5 | days | a retired diver", "- comedy | near 3 | months | two bakers"];
    let others = ["others: everyone", "- dystopia 7, noir 2 | near 4 | 19 users | flooded, city"];
    Box::new(Blocks::new("film: a diver", &own, &others, "tag:", 1024.0))
}

/// Memory answers the question asked last.
pub fn speak(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket;
    update(state, Message::MemoryRead { ticket, read: Box::new(memory_read()), blocks: blocks(), heard: None })
}

/// The model answers on all arms.
pub fn answer(state: &mut State) {
    let epoch = state.answers.epoch;
    let scores =
        [[-2.0, -1.0, -0.9, -2.0], [-0.5, -2.0, -1.5, -3.0], [-2.0, -0.4, -3.0, -1.8], [-0.9, -0.8, -3.0, -2.5]];
    let words = ["comedy", "noir", "dystopia", "dystopia"];
    for (id, (scores, word)) in scores.into_iter().zip(words).enumerate() {
        let ticket = Ticket { epoch, id: id as u64 };
        let stats = GenStats {
            prompt_tokens: 90,
            tokens: 2,
            ttft: Duration::from_millis(6),
            elapsed: Duration::from_millis(9 + id as u64),
        };
        for event in [
            HostEvent::Scores { ticket, scores: scores.to_vec() },
            HostEvent::Token { ticket, text: format!(" {word}") },
            HostEvent::Done { ticket, stats },
        ] {
            update(state, Message::Host(event));
        }
    }
}

/// The state with everything there.
pub fn answered() -> State {
    let (mut state, _) = asked();
    answer(&mut state);
    state
}

/// Presses keys, written as in the command table.
pub fn press(state: &mut State, keys: &[&str]) -> Vec<Effect> {
    keys.iter().flat_map(|key| update(state, Message::Key(key.parse::<Chord>().unwrap()))).collect()
}

/// The screen of `state`.
pub fn drawn(state: &State, width: u16, height: u16) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    render(state, &Theme::named(state.theme), buffer.area, &mut buffer);
    buffer
}

/// The text of a screen, a line a row.
pub fn text_of(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in 0..buffer.area.height {
        let mut line = String::new();
        let mut column = 0;
        while column < buffer.area.width {
            let symbol = buffer[(column, row)].symbol();
            line.push_str(symbol);
            column += unicode_width::UnicodeWidthStr::width(symbol).max(1) as u16;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The styles of a screen: every run that is not plain.
pub fn styles_of(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in 0..buffer.area.height {
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for column in 0..buffer.area.width {
            let cell = &buffer[(column, row)];
            let mut style = String::new();
            if cell.fg != Color::Reset {
                let _ = write!(style, " fg={}", cell.fg);
            }
            if cell.bg != Color::Reset {
                let _ = write!(style, " bg={}", cell.bg);
            }
            if cell.modifier != Modifier::empty() {
                let _ = write!(style, " mod={:?}", cell.modifier);
            }
            match runs.last_mut() {
                Some((_, end, last)) if *end == column && *last == style => *end = column + 1,
                _ => runs.push((column, column + 1, style)),
            }
        }
        for (from, to, style) in runs.iter().filter(|(_, _, style)| !style.is_empty()) {
            let _ = writeln!(out, "row {row}: {from}..{to}{style}");
        }
    }
    out
}

#[test]
fn the_query_screen_at_three_sizes() {
    let state = answered();
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(format!("query-{width}x{height}"), text_of(&drawn(&state, width, height)));
    }
}

#[test]
fn styles_of_the_query_screen() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        insta::assert_snapshot!(
            format!("query-{width}x{height}-styles"),
            styles_of(&drawn(&answered(), width, height))
        );
    }
}

#[test]
fn each_pane_alone_at_the_common_size() {
    for pane in ["1", "3", "4", "5"] {
        let mut state = answered();
        press(&mut state, &[pane]);
        insta::assert_snapshot!(format!("pane-{pane}-80x24"), text_of(&drawn(&state, 80, 24)));
    }
}

/// What an answer cost: in full where that has room beside the words of every arm, and whenever the pane is zoomed.
#[test]
fn the_answers_tell_prompt_first_token_and_speed() {
    let whole = "prompt 90 · first 6 ms · 2 tokens in 10 ms · 200 tok/s";
    let mut state = answered();
    press(&mut state, &["4"]);
    assert!(text_of(&drawn(&state, 200, 60)).contains(&format!("“noir”  {whole}")));
    for (width, height) in [(80, 24), (120, 40)] {
        let shown = text_of(&drawn(&state, width, height));
        assert!(shown.contains("“noir”  2 tokens · 10 ms") && !shown.contains("prompt 90"), "{shown}");
    }
    press(&mut state, &["z"]);
    assert!(text_of(&drawn(&state, 120, 40)).contains(&format!("“noir”  {whole}")));
    let lines: Vec<String> = text_of(&drawn(&state, 80, 24)).lines().map(str::to_owned).collect();
    let at = lines.iter().position(|line| line.contains("“dystopia”")).unwrap();
    assert!(lines[at + 1].contains("prompt 90 · first 6 ms · 2 tokens in 11 ms · 182 tok/s"), "{lines:?}");
}

#[test]
fn before_memory_is_there_and_while_the_model_loads() {
    let mut state = started();
    update(&mut state, Message::Clock(Duration::from_millis(420)));
    update(&mut state, Message::Stage("building memory"));
    update(
        &mut state,
        Message::Host(HostEvent::Loading { stage: LoadStage::Weights, elapsed: Duration::from_millis(400) }),
    );
    insta::assert_snapshot!("start-80x24", text_of(&drawn(&state, 80, 24)));
}

#[test]
fn what_lies_over_the_screen() {
    for (name, keys) in [
        ("help", &["?"][..]),
        ("help-filtered", &["?", "/", "u", "n", "d", "o"]),
        ("palette", &[":", "p", "o", "l"]),
        ("users", &["w", "0", "1"]),
        ("queries", &["o"]),
        ("edit", &["i", "a", " ", "t", "i", "d", "e", "left"]),
        ("date-refused", &["d", "ctrl-u", "s", "o", "o", "n", "enter"]),
    ] {
        let mut state = answered();
        press(&mut state, keys);
        insta::assert_snapshot!(format!("over-{name}-100x30"), text_of(&drawn(&state, 100, 30)));
    }
}

#[test]
fn a_small_terminal_is_told_what_it_needs() {
    let text = text_of(&drawn(&answered(), 32, 9));
    assert!(text.contains("terminal 32×9, need 40×12"), "{text}");
    assert!(text_of(&drawn(&answered(), 40, 12)).contains("Med"));
}

#[test]
fn the_shown_numbers_are_those_of_the_state() {
    let state = answered();
    let text = text_of(&drawn(&state, 200, 60));
    let reading = state.reading.as_ref().unwrap();
    for expected in [
        format!("margin .{:02.0}", reading.resolution.margin * 100.0),
        format!("rules flip to {}", state.data.as_ref().unwrap().label(reading.flips[0].becomes)),
        format!("at {} {}", reading.flips[0].weight, reading.flips[0].at),
        "value and polarity conflict: noir against dystopia".to_owned(),
        "2 entries suppressed (fewer than 5 users)".to_owned(),
        "community 4 · 31 users".to_owned(),
        "period 5 of 8".to_owned(),
        "nano 3.1M cpu f32".to_owned(),
        "gold noir · judged query 1 of 2".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected} is missing in\n{text}");
    }
}

#[test]
fn ascii_means_ascii() {
    let mut state = answered();
    state.ascii = true;
    press(&mut state, &["n"]);
    speak(&mut state);
    for (width, height) in [(80, 24), (200, 60), (20, 5)] {
        let text = text_of(&drawn(&state, width, height));
        assert!(text.is_ascii(), "{text}");
    }
}

#[test]
fn hostile_text_reaches_no_cell() {
    let mut state = answered();
    press(&mut state, &["n"]);
    speak(&mut state);
    answer(&mut state);
    state.answers.arms[3].text =
        "\u{1b}]0;title\u{7}\u{202e}abc \u{1F468}\u{200D}\u{1F469}\u{FE0F}\u{200B}z\u{E0041}".to_owned();
    for keys in [&["4"][..], &["o"], &["esc", "i", "z"]] {
        press(&mut state, keys);
        for cell in &drawn(&state, 160, 50).content {
            assert!(
                !cell
                    .symbol()
                    .chars()
                    .any(|c| c.is_control() || "\u{202a}\u{202e}\u{2066}\u{200d}\u{fe0f}\u{200b}\u{e0041}".contains(c))
            );
        }
    }
}

#[test]
fn without_colour_the_selection_is_reversed() {
    let mut state = answered();
    state.theme = "mono";
    press(&mut state, &["w"]);
    let buffer = drawn(&state, 100, 30);
    assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert!(buffer.content.iter().any(|cell| cell.modifier.contains(Modifier::REVERSED) && cell.symbol() == "u"));
}

/// A theme with a background of its own covers every cell: frames, titles and lists lie on it too.
#[test]
fn a_background_has_no_holes() {
    for theme in ["night", "day"] {
        for mut state in gallery() {
            state.theme = theme;
            for (width, height) in [(80, 24), (120, 40), (200, 60)] {
                let buffer = drawn(&state, width, height);
                // The second cell of a wide character is never written by itself.
                let covered =
                    |at: usize| at > 0 && unicode_width::UnicodeWidthStr::width(buffer.content[at - 1].symbol()) > 1;
                let open = |at: &usize| buffer.content[*at].bg == Color::Reset && !covered(*at);
                let hole = (0..buffer.content.len()).find(open);
                assert_eq!(hole, None, "{theme} at {width}×{height}");
            }
        }
    }
}

/// States worth drawing at every size.
fn gallery() -> Vec<State> {
    let with = |keys: &[&str]| {
        let mut state = answered();
        press(&mut state, keys);
        state
    };
    let mut all = vec![started(), asked().0];
    let sets: [&[&str]; 13] = [
        &[],
        &["1"],
        &["3"],
        &["4"],
        &["5", "G"],
        &["z"],
        &["?"],
        &["?", "/", "x"],
        &[":"],
        &["w"],
        &["o", "z", "z"],
        &["i", "日", "本"],
        &["d"],
    ];
    all.extend(sets.map(with));
    all
}

#[test]
fn every_size_can_be_drawn() {
    for state in gallery() {
        for width in (1..=200).step_by(7).chain([39, 40, 41, 99, 100, 149, 150]) {
            for height in (1..=60).step_by(5).chain([11, 12, 13, 31, 32, 33, 34]) {
                drawn(&state, width, height);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_keys_at_any_size_can_be_drawn(
        keys in proptest::collection::vec(0..command::TABLE.len(), 0..25), width in 1..220u16, height in 1..70u16
    ) {
        let mut state = answered();
        for key in keys {
            let entry = &command::TABLE[key];
            update(&mut state, Message::Key(entry.keys[0].parse::<Chord>().unwrap()));
            if state.answers.stale {
                speak(&mut state);
            }
        }
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        let limits = render(&state, &Theme::named("ansi"), buffer.area, &mut buffer);
        update(&mut state, Message::Drawn(limits));
        drawn(&state, width, height);
    }
}

/// A score, a reason and a community as memory tells them, with hostile words among them.
fn sheets() -> Vec<(&'static str, Vec<&'static str>, Told)> {
    let leaf =
        |name: &str, value: f64, note: &str| Node { name: name.into(), value, note: note.into(), children: Vec::new() };
    let words = vec![
        leaf("diver", 0.2284, "once; idf 3.10, own 1 of 3, others 2 of 340"),
        leaf("drow\u{1b}[31mned", 0.1116, "once; idf 1.52, own 1 of 3, others 40 of 340"),
    ];
    let lexical = Node {
        name: "lexical".into(),
        value: 0.34,
        note: "0.50 × 0.680, BM25 over its upper bound".into(),
        children: words,
    };
    let dense = leaf("dense", 0.47, "0.50 × cosine 0.940");
    let recency = leaf("recency", -0.0162, "factor 0.980 at 20.0 d: floor 0.8, recency half-life 365 d");
    let score = Node { name: "i1".into(), value: 0.7938, note: String::new(), children: vec![lexical, dense, recency] };
    let rank = Rank { rank: 7, of: 31, shown: 3, score: 0.412, gap: Some(0.098) };
    let epoch = |period: usize, group, changes| Epoch {
        period,
        end: Timestamp(1_690_000_000 + period as i64 * 7_776_000),
        group,
        changes,
    };
    let split = vec![
        Flow { other: 4, share: Share::Half, people: Some(17) },
        Flow { other: 2, share: Share::Third, people: Some(12) },
    ];
    let came = Flow { other: 1, share: Share::Third, people: None };
    let history = CommunityHistory {
        community: 4,
        of: 5,
        membership: 0.83,
        guard: 5,
        epochs: vec![
            epoch(
                3,
                Some(Group { members: 31, responses: vec![(1, 0.52), (0, 0.21)] }),
                vec![Change::Split(split), Change::Came(came)],
            ),
            epoch(2, Some(Group { members: 34, responses: vec![(1, 0.5)] }), vec![Change::Formed { guard: 5 }]),
            epoch(1, None, Vec::new()),
        ],
    };
    vec![
        ("score", vec!["1", "enter", "enter"], Told::Score(score)),
        ("why-not", vec!["W"], Told::Reason(Reason::Foreign { community: 2, membership: 0.05, rank })),
        ("community", vec!["c"], Told::Community(Some(history))),
        ("no-community", vec!["c"], Told::Community(None)),
    ]
}

/// The state with the sheet told.
fn explained(keys: &[&str], told: Told) -> State {
    let mut state = answered();
    press(&mut state, keys);
    let ticket = state.inquiry;
    update(&mut state, Message::Told { ticket, told: Box::new(Ok(told)) });
    state
}

#[test]
fn explanations_over_the_screen() {
    for (name, keys, told) in sheets() {
        let state = explained(&keys, told);
        for (width, height) in [(80, 24), (120, 40)] {
            let buffer = drawn(&state, width, height);
            assert!(!buffer.content.iter().any(|cell| cell.symbol().chars().any(char::is_control)));
            insta::assert_snapshot!(format!("over-{name}-{width}x{height}"), text_of(&buffer));
        }
        for (width, height) in [(40, 12), (41, 13), (200, 60), (1, 1)] {
            drawn(&state, width, height);
        }
    }
    let mut state = answered();
    press(&mut state, &["1", "enter"]);
    insta::assert_snapshot!("over-hits-80x24", text_of(&drawn(&state, 80, 24)));
    press(&mut state, &["esc", "3", "enter"]);
    insta::assert_snapshot!("over-entries-80x24", text_of(&drawn(&state, 80, 24)));
    press(&mut state, &["esc", "2", "enter"]);
    for (width, height) in [(80, 24), (120, 40)] {
        insta::assert_snapshot!(format!("over-ledger-{width}x{height}"), text_of(&drawn(&state, width, height)));
    }
    for (width, height) in [(40, 12), (41, 13), (200, 60), (1, 1)] {
        drawn(&state, width, height);
    }
    let mine = |id: &str, kind| Candidate { id: id.into(), kind };
    let all = vec![mine("i1", CandidateKind::Item(0)), mine("p5-c4-1", CandidateKind::Entry(Some(4)))];
    let state = explained(&["W"], Told::Candidates(all));
    insta::assert_snapshot!("over-missed-80x24", text_of(&drawn(&state, 80, 24)));
}

/// A line in a frame of 28 hid the panes that it spoke of.
#[test]
fn an_explanation_is_as_high_as_what_it_tells() {
    let state = explained(&["c"], Told::Community(None));
    let screen = text_of(&drawn(&state, 120, 40));
    let rows: Vec<&str> = screen.lines().collect();
    let top = rows.iter().position(|row| row.contains("┏━ the person's community")).unwrap();
    assert!(rows[top + 1].contains("Nothing can be told"), "{screen}");
    assert_eq!(rows[top + 2].chars().nth(5), Some('┗'), "{screen}");
    assert!(rows[6].starts_with("│ .79 noir"), "what it speaks of stays in sight: {screen}");
}

#[test]
fn a_portrait_stands_where_there_is_room() {
    let counts = |with_term, total| DocumentCounts { with_term, total };
    let word =
        |word: &str| Characteristic { word: word.to_owned(), z: 2.0, own: counts(2, 3), others: Some(counts(4, 16)) };
    let style = Some(Style { texts: 3, words: 5.25, questions: 0.5, numbers: 0.0 });
    let portrait = Portrait { words: vec![word("tide"), word("di\u{1b}ver")], style };
    let mut state = answered();
    let ticket = state.ticket;
    update(&mut state, Message::Portrayed { ticket, portrait: Box::new(portrait) });
    press(&mut state, &["1"]);
    insta::assert_snapshot!("pane-1-portrait-80x24", text_of(&drawn(&state, 80, 24)));
    assert!(!text_of(&drawn(&state, 80, 14)).contains("style"), "hits come first");
}
