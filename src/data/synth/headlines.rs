//! A seeded population of headline writers: communities and people with habits of form, of length and of favourite
//! words, and chance.
//!
//! The text counterpart of the film taggers: an article is a sentence about a theme, its response a headline that tells
//! who does what, where and when, as far as it goes. What form it has is a draw from the writer's own habit in the theme's
//! section, the community's or chance; how long it is scatters around the writer's own mean, which lies near the
//! community's, and around the section's; which favourite words stand at its head, the writer's or the section's, is
//! chance, too. So form, length and words can each be learnt from one's own past and from others', and neither settles a
//! headline.
//!
//! Invariants: a population is a pure function of [`Parameters`]; every headline has the form that was drawn.

use serde::Serialize;

use super::super::dataset::{
    Calibration, Dataset, FORMAT, Manifest, PeriodLength, Periods, Retrieval, TaskKind, WeightDefaults, Wording,
};
use super::super::draw::Draw;
use super::super::form::Form;
use super::super::interaction::{Extra, Interaction, JudgedQuery, Timestamp, UserId};
use super::{ARTICLE_PHRASES, COMMUNITY_SHARE, OWN_SHARE, PERIOD_DAYS, Parameters, START, Story, THEMES, softmax};

/// Forms that headlines are written in.
const FORMS: [Form; 8] = [
    Form::Statement,
    Form::Question,
    Form::Exclamation,
    Form::List,
    Form::Explainer,
    Form::Quote,
    Form::Topic,
    Form::Trailing,
];
/// Favourite words, of which each section and each person has some.
const FAVOURITES: [&str; 40] = [
    "bold", "quiet", "secret", "golden", "broken", "sudden", "hidden", "bitter", "gentle", "savage", "stunning",
    "modest", "curious", "fearless", "humble", "wicked", "radiant", "solemn", "reckless", "tender", "brutal",
    "elegant", "fragile", "furious", "honest", "lonely", "luminous", "mighty", "nimble", "obscure", "patient",
    "restless", "shining", "stubborn", "timeless", "urgent", "vivid", "weary", "zealous", "ancient",
];
/// Words that no headline ends with.
const SMALL: [&str; 11] = ["a", "an", "the", "in", "as", "to", "of", "its", "is", "into", "for"];
/// Sections of a newspaper; a theme belongs to one of them.
const SECTIONS: usize = 5;
/// How often each favourite of a section or a person is taken when one is.
const FAVOURITE: [f64; 2] = [0.8, 0.2];
/// ln words of the shortest and of the longest habit.
const HABITS: (f64, f64) = (1.4, 2.2);
/// Standard deviation of ln words of one person's headlines.
const SCATTER: f64 = 0.22;
/// Words of the shortest and of the longest headline, what the form adds left out.
const WORDS: (usize, usize) = (3, 18);
/// Share of headlines that hold a favourite of the person, and of the section.
const FAVOURED: (f64, f64) = (0.75, 0.65);

impl Parameters {
    /// A small population of headline writers.
    pub fn of_headlines() -> Self {
        Self { seed: 1, users: 120, communities: 4, periods: 6, mean_history: 30 }
    }
}

/// How somebody writes.
#[derive(Clone, Debug, Serialize)]
pub struct Hand {
    /// `forms[section][form]`: probability of each form, in the order of [`Form::ALL`].
    pub forms: Vec<Vec<f64>>,
    /// Mean ln words before the form adds its own.
    pub length: f64,
}

/// What is usual in a section, whoever writes.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// What it adds to the mean ln words.
    pub length: f64,
    /// Favourite words, the first before all.
    pub words: Vec<&'static str>,
}

/// The latent truth about one writer.
#[derive(Clone, Debug, Serialize)]
pub struct WriterTruth {
    /// Who.
    pub user: UserId,
    /// Latent community.
    pub community: usize,
    /// How they write by themselves.
    pub hand: Hand,
    /// Favourite words, the first before all.
    pub words: Vec<&'static str>,
}

/// What the generator knows and the data does not say.
#[derive(Clone, Debug, Serialize)]
pub struct HeadlineTruth {
    /// The population's seed.
    pub seed: u64,
    /// Per writer.
    pub users: Vec<WriterTruth>,
    /// Per community.
    pub communities: Vec<Hand>,
    /// Per section.
    pub sections: Vec<Section>,
}

/// Makes the population of `parameters` and its latent truth.
pub fn headlines(parameters: &Parameters) -> (Dataset, HeadlineTruth) {
    let mut draw = Draw::seeded(parameters.seed);
    let sections: Vec<Section> =
        (0..SECTIONS).map(|_| Section { length: 0.3 * draw.normal(), words: favourites(&mut draw) }).collect();
    // What everybody does in a section, and what a community makes of it.
    let custom = leanings(&mut draw, 1.6);
    let communities: Vec<Hand> = (0..parameters.communities)
        .map(|_| {
            let length = HABITS.0 + (HABITS.1 - HABITS.0) * draw.unit();
            let (own, signature) = (leanings(&mut draw, 1.4), signature(&mut draw, 1.4));
            let logit = |section: usize, form: usize| custom[section][form] + own[section][form] + signature[form];
            hand(logit, length)
        })
        .collect();
    let days = parameters.periods as f64 * PERIOD_DAYS;
    let (mut interactions, mut queries, mut users) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..parameters.users {
        let community = draw.below(communities.len());
        let culture = &communities[community];
        let length = culture.length + 0.25 * draw.normal();
        let (own, signature) = (leanings(&mut draw, 0.8), signature(&mut draw, 1.6));
        let shared = |section: usize, form: usize| culture.forms[section][FORMS[form].place()].max(1e-3).ln();
        let logit = |section: usize, form: usize| 0.5 * shared(section, form) + own[section][form] + signature[form];
        let hand = hand(logit, length);
        let words = favourites(&mut draw);
        let user = UserId::new(format!("w{index:03}"));
        // One writer in five has just begun.
        let cold = draw.chance(0.2);
        let joined = if cold { 0.85 * days } else { draw.unit() * 0.4 * days };
        let history = if cold {
            draw.between(0, 3)
        } else {
            parameters.mean_history / 2 + draw.below(parameters.mean_history + 1)
        };
        let mut moments: Vec<(f64, bool)> =
            (0..history).map(|_| (joined + draw.unit() * (days - joined), false)).collect();
        let asked_from = joined.max(0.75 * days);
        moments.extend((0..2).map(|_| (asked_from + draw.unit() * (days - asked_from), true)));
        moments.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (day, judged) in moments {
            let theme = draw.below(THEMES.len());
            let story = Story::about(&mut draw, theme, ARTICLE_PHRASES);
            let section = theme % SECTIONS;
            let heads = Heads { own: &words, section: &sections[section] };
            let (query, response) = (story.sentence(), headline(&mut draw, section, &story, [&hand, culture], &heads));
            let (id, user, at) = (String::new(), user.clone(), Timestamp(START).plus_days(day));
            let (item, extra) = (None, Extra::new());
            match judged {
                true => queries.push(JudgedQuery { id, user, at, query, gold: Some(response), item, extra }),
                false => interactions.push(Interaction { id, user, at, query, response, item, extra }),
            }
        }
        users.push(WriterTruth { user, community, hand, words });
    }
    interactions.sort_by(|a, b| (a.at, &a.user).cmp(&(b.at, &b.user)));
    interactions.iter_mut().enumerate().for_each(|(number, i)| i.id = format!("h{number:05}"));
    queries.sort_by(|a, b| (a.at, &a.user).cmp(&(b.at, &b.user)));
    queries.iter_mut().enumerate().for_each(|(number, q)| q.id = format!("q{number:04}"));
    (
        Dataset { manifest: manifest(), interactions, queries },
        HeadlineTruth { seed: parameters.seed, users, communities, sections },
    )
}

/// Log weights of each of [`FORMS`] in each section.
type Leanings = Vec<Vec<f64>>;

fn signature(draw: &mut Draw, deviation: f64) -> Vec<f64> {
    FORMS.iter().map(|_| deviation * draw.normal()).collect()
}

fn leanings(draw: &mut Draw, deviation: f64) -> Leanings {
    (0..SECTIONS).map(|_| signature(draw, deviation)).collect()
}

fn favourites(draw: &mut Draw) -> Vec<&'static str> {
    FAVOURITE.iter().map(|_| draw.one_of(&FAVOURITES)).collect()
}

fn hand(logit: impl Fn(usize, usize) -> f64, length: f64) -> Hand {
    let of_section = |section: usize| {
        let logits: Vec<f64> = (0..FORMS.len()).map(|form| logit(section, form)).collect();
        let mut forms = vec![0.0; Form::ALL.len()];
        FORMS.iter().zip(softmax(&logits)).for_each(|(form, p)| forms[form.place()] = p);
        forms
    };
    let forms = (0..SECTIONS).map(of_section).collect();
    Hand { forms, length }
}

/// What may stand at the head of a headline.
struct Heads<'a> {
    own: &'a [&'static str],
    section: &'a Section,
}

/// A headline in a section for a `story`, by a writer's own and their community's hand.
fn headline(draw: &mut Draw, section: usize, story: &Story, [own, culture]: [&Hand; 2], heads: &Heads) -> String {
    let form = match draw.unit() {
        x if x < OWN_SHARE => Form::ALL[draw.index(&own.forms[section])],
        x if x < OWN_SHARE + COMMUNITY_SHARE => Form::ALL[draw.index(&culture.forms[section])],
        _ => draw.one_of(&FORMS),
    };
    let length = (own.length + heads.section.length + SCATTER * draw.normal()).exp().round() as usize;
    let length = length.clamp(WORDS.0, WORDS.1);
    let mut words: Vec<&str> = Vec::new();
    if draw.chance(FAVOURED.0) {
        words.push(heads.own[draw.index(&FAVOURITE)]);
    }
    if draw.chance(FAVOURED.1) {
        words.push(heads.section.words[draw.index(&FAVOURITE)]);
    }
    // The article's own phrases, as far as they go.
    let who = story.who.trim_start_matches("a ").trim_start_matches("an ").trim_start_matches("the ");
    let mut phrases = vec![who, story.act];
    for (told, before, phrase) in [("{place}", "in", story.place), ("{detail}", "as", story.detail)] {
        if story.frame.contains(told) {
            phrases.extend([before, phrase]);
        }
    }
    phrases.extend(["a", story.motif, "story"]);
    words.extend(phrases.iter().flat_map(|phrase| phrase.split_whitespace()));
    words.truncate(length);
    // No headline breaks off behind a small word.
    while words.len() > WORDS.0 && words.last().is_some_and(|word| SMALL.contains(word)) {
        words.pop();
    }
    let body = words.join(" ");
    match form {
        Form::Question => format!("{body}?"),
        Form::Exclamation => format!("{body}!"),
        Form::List => format!("{} {body}", draw.between(3, 12)),
        Form::Explainer => format!("{} {body}", draw.one_of(&["How", "Why", "What"])),
        Form::Quote => format!("“{}” {}", words[..2].join(" "), words[2..].join(" ")),
        Form::Topic => format!("{}: {body}", story.motif),
        Form::Trailing => format!("{body}..."),
        Form::Statement | Form::Reply => body,
    }
}

/// `dataset.toml` of every generated population of headline writers.
fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        name: "headlines".into(),
        task: TaskKind::Text,
        labels: Vec::new(),
        scale: None,
        metric: "rougeL".into(),
        licence: "MIT OR Apache-2.0".into(),
        source: "generated by `logoscope synth --task text`; no real person, no real article".into(),
        prompt: Wording { query: "article".into(), response: "headline".into() },
        retrieval: Retrieval::default(),
        periods: Periods { length: PeriodLength::Days(PERIOD_DAYS), ..Periods::default() },
        // Chosen on populations from the training seeds by log-loss of the mediated arm.
        calibration: Calibration {
            local: 1.05,
            terms: 0.2,
            neighbours: 0.25,
            smoothing: 200.0,
            ..Calibration::default()
        },
        weights: WeightDefaults {
            prior_strength_product: Some(8.0),
            prior_strength_shrinkage: Some(8.0),
            similarity_sharpness: Some(2.0),
            half_life: Some(365.0),
            community_focus: Some(0.4),
            half_life_unit: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::form::log_words;

    #[test]
    fn headlines_are_a_function_of_their_seed_and_have_the_forms_that_were_drawn() {
        let small = Parameters { users: 12, ..Parameters::of_headlines() };
        let (first, truth) = headlines(&small);
        assert_eq!(first, headlines(&small).0);
        assert_ne!(first, headlines(&Parameters { seed: 2, ..small }).0);
        let mut draw = Draw::seeded(7);
        for form in FORMS {
            let mut forms = vec![0.0; Form::ALL.len()];
            forms[form.place()] = 1.0;
            let only = Hand { forms: vec![forms; SECTIONS], ..truth.communities[0].clone() };
            let written = (0..60).map(|n| {
                let section = n % SECTIONS;
                let heads = Heads { own: &truth.users[0].words, section: &truth.sections[section] };
                let story = Story::about(&mut draw, n % THEMES.len(), ARTICLE_PHRASES);
                headline(&mut draw, section, &story, [&only, &only], &heads)
            });
            let right = written.filter(|text| Form::of(text) == form).count();
            // The rest is chance.
            assert!(right >= 48, "{form}: {right} of 60");
        }
    }

    #[test]
    fn people_of_one_community_write_at_like_length() {
        let (dataset, truth) = headlines(&Parameters::of_headlines());
        assert!(dataset.interactions.len() > 800 && dataset.queries.len() == 2 * truth.users.len());
        for writer in &truth.users {
            let own = dataset.interactions.iter().filter(|i| i.user == writer.user);
            let lengths: Vec<f64> = own.map(|i| log_words(&i.response)).collect();
            if lengths.len() < 10 {
                continue;
            }
            let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
            // None is shorter than three words, and none longer than its article.
            let length = writer.hand.length.clamp(1.2, 2.3);
            assert!((mean - length).abs() < 0.5, "{}: {mean} for {}", writer.user, writer.hand.length);
        }
    }
}
