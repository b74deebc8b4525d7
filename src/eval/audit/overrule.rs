//! Who is overruled: right answers of a person's own memory that the mediator gave up, wrong ones it rescued, and what
//! local memory changes.

use serde::Serialize;

use super::Inquiry;
use super::group::Grouping;
use super::measure::{Dimension, Figure, askers};
use crate::data::interaction::{Timestamp, UserId};
use crate::engine::prompt::Arm;
use crate::eval::stats::{Interval, Table, intervals};

/// How often something happened, of how many times it could have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Times it happened.
    pub n: usize,
    /// Times it could have.
    pub of: usize,
    /// Of how many people these are.
    pub users: usize,
    /// The share; absent where nothing can be said.
    #[serde(flatten)]
    pub share: Option<Share>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// A share with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// 0 to 1.
    pub share: f64,
    /// By person. Where it never or always happened resamples do not vary, and the end is that of the rule of three over
    /// people, 3/m of m, or over questions where people are few. What happened to some of fewer than [`FEW`] says nothing:
    /// 0 to 1.
    ///
    /// [`FEW`]: crate::eval::stats::FEW
    pub ci: Interval,
}

impl Rate {
    /// Of the `rows` in which something could have happened: whether it did.
    pub fn of(inquiry: &Inquiry, rows: &[usize], happened: impl Fn(usize) -> bool) -> Self {
        let hits: Vec<(usize, f64)> = rows.iter().map(|row| (*row, if happened(*row) { 1.0 } else { 0.0 })).collect();
        let n = hits.iter().filter(|(_, hit)| *hit > 0.0).count();
        let (of, users) = (rows.len(), askers(inquiry, rows.iter().copied()));
        let left_out = inquiry.too_few(of, users);
        if left_out.is_some() {
            return Self { n, of, users, share: None, left_out };
        }
        let table = Table::of(2, hits.iter().map(|(row, hit)| (inquiry.units[*row], [(0, 1.0), (1, *hit)])));
        let plan = inquiry.plan.among(table.observations());
        let found = intervals(std::slice::from_ref(&table), plan, |sums| {
            vec![(sums[0][0] > 0.0).then(|| sums[0][1] / sums[0][0])]
        });
        let (share, least) = (n as f64 / of as f64, (3.0 / table.observations() as f64).min(1.0));
        let ci = match n {
            0 => Interval { low: 0.0, high: least },
            n if n == of => Interval { low: 1.0 - least, high: 1.0 },
            _ => found[0].unwrap_or(Interval { low: 0.0, high: 1.0 }),
        };
        Self { n, of, users, share: Some(Share { share, ci }), left_out: None }
    }

    /// The share as a figure.
    pub fn figure(&self) -> Option<Figure> {
        self.share.map(|Share { share, ci }| Figure { value: share, ci: Some(ci) })
    }
}

/// Whom the mediator overrules, of some people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overruled {
    /// Grouped by what; absent of everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Which group.
    pub whose: String,
    /// Whether only people are counted whose own preference is not that of the others.
    pub minority: bool,
    /// Queries of people who remember something.
    pub n: usize,
    /// Right local answers that the mediator gave up, of all right ones.
    pub suppressed: Rate,
    /// Wrong local answers that it rescued, of all wrong ones.
    pub rescued: Rate,
}

/// Whether there was anything that local memory could be right or wrong about; else its answer is what others answer.
fn remembers(inquiry: &Inquiry, row: &usize) -> bool {
    inquiry.answered[*row].visible > 0
}

/// Of everybody who remembers something, of those of them who differ from the others, and of these by each group that is
/// told of.
pub fn overruled(inquiry: &Inquiry, groupings: &[Grouping], dimensions: &[Dimension]) -> Vec<Overruled> {
    let all: Vec<usize> = (0..inquiry.questions.len()).filter(|row| remembers(inquiry, row)).collect();
    let differ: Vec<usize> = all.iter().copied().filter(|row| inquiry.is_minority(*row)).collect();
    let of = |by: Option<String>, whose: String, minority: bool, rows: &[usize]| {
        let (right, wrong): (Vec<usize>, Vec<usize>) =
            rows.iter().copied().partition(|row| inquiry.is_right(*row, Arm::Local));
        let suppressed = Rate::of(inquiry, &right, |row| !inquiry.is_right(row, Arm::Mediated));
        let rescued = Rate::of(inquiry, &wrong, |row| inquiry.is_right(row, Arm::Mediated));
        Overruled { by, whose, minority, n: rows.len(), suppressed, rescued }
    };
    let mut found =
        vec![of(None, "everybody".to_owned(), false, &all), of(None, "people who differ".to_owned(), true, &differ)];
    for (grouping, dimension) in groupings.iter().zip(dimensions) {
        for group in &dimension.groups {
            let rows: Vec<usize> = differ.iter().copied().filter(|row| grouping.of[*row] == group.place).collect();
            found.push(of(Some(dimension.by.clone()), group.name.clone(), true, &rows));
        }
    }
    found
}

/// A query in which the collective overrode a person who was right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Case {
    /// The query's.
    pub id: String,
    /// Who asked.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
    /// The person's own words.
    pub query: String,
    /// Their own items before it.
    pub visible: usize,
    /// The right answer, which their own memory gave.
    pub right: String,
    /// What was answered instead.
    pub mediated: String,
    /// Whether that is what others would have been answered.
    pub as_others: bool,
    /// Whether the person's preference is not that of the others.
    pub minority: bool,
    /// Probability of the right answer by local memory; absent where answers come without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_local: Option<f64>,
    /// The same after mediation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_mediated: Option<f64>,
    /// What was lost of it; cases are in order of this, the most first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub harm: Option<f64>,
    /// The command that shows it.
    pub open: String,
}

/// How many such queries there are, and the `most` of them with the greatest harm.
pub fn cases(inquiry: &Inquiry, most: usize, names: &[String], opening: &[String]) -> (usize, Vec<Case>) {
    let all = (0..inquiry.questions.len()).filter(|row| remembers(inquiry, row));
    let lost = all.filter(|row| inquiry.is_right(*row, Arm::Local) && !inquiry.is_right(*row, Arm::Mediated));
    let name = |label: usize| names.get(label).cloned().unwrap_or_default();
    let case = |row: usize| {
        let question = &inquiry.questions[row];
        let p = |arm| inquiry.said(row, arm).distribution.as_ref().map(|p| p[question.gold]);
        let (p_local, p_mediated) = (p(Arm::Local), p(Arm::Mediated));
        let mediated = inquiry.said(row, Arm::Mediated).decision;
        let (user, at) = (question.user.as_str(), question.at.to_string());
        let asked = [("--user", user), ("--at", at.as_str()), ("--query", question.text)];
        let asked = asked.into_iter().map(|(option, value)| given(option, value));
        let words = opening.iter().map(|word| quoted(word)).chain(asked).collect::<Vec<_>>();
        Case {
            id: question.id.to_owned(),
            user: question.user.clone(),
            at: question.at,
            query: question.text.to_owned(),
            visible: inquiry.answered[row].visible,
            right: name(question.gold),
            mediated: name(mediated),
            as_others: mediated == inquiry.said(row, Arm::Global).decision,
            minority: inquiry.is_minority(row),
            p_local,
            p_mediated,
            harm: p_local.zip(p_mediated).map(|(local, mediated)| local - mediated),
            open: words.join(" "),
        }
    };
    let mut found: Vec<Case> = lost.map(case).collect();
    let harm = |case: &Case| case.harm.unwrap_or(f64::NEG_INFINITY);
    found.sort_by(|a, b| harm(b).total_cmp(&harm(a)).then_with(|| a.id.cmp(&b.id)));
    let n = found.len();
    found.truncate(most);
    (n, found)
}

/// An option with its value, as a shell reads them: a value that looks like an option is tied to it.
fn given(option: &str, value: &str) -> String {
    let tie = if value.starts_with('-') { '=' } else { ' ' };
    format!("{option}{tie}{}", quoted(value))
}

/// A word as a shell reads it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// What local memory changes of an arm's answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Personalised {
    /// The arm that hears local memory.
    pub arm: &'static str,
    /// The arm without it.
    pub without: &'static str,
    /// Answers that are others with it.
    pub changed: Rate,
    /// Of the right ones without it, those that are wrong with it.
    pub worsened: Rate,
    /// Of the wrong ones without it, those that are right with it.
    pub bettered: Rate,
}

/// Local memory alone, and beside global memory.
pub fn personalised(inquiry: &Inquiry) -> Vec<Personalised> {
    let of = |(arm, without): (Arm, Arm)| {
        let all: Vec<usize> = (0..inquiry.questions.len()).collect();
        let (right, wrong): (Vec<usize>, Vec<usize>) =
            all.iter().copied().partition(|row| inquiry.is_right(*row, without));
        Personalised {
            arm: arm.name(),
            without: without.name(),
            changed: Rate::of(inquiry, &all, |row| {
                inquiry.said(row, arm).decision != inquiry.said(row, without).decision
            }),
            worsened: Rate::of(inquiry, &right, |row| !inquiry.is_right(row, arm)),
            bettered: Rate::of(inquiry, &wrong, |row| inquiry.is_right(row, arm)),
        }
    };
    [(Arm::Local, Arm::None), (Arm::Mediated, Arm::Global), (Arm::Mediated, Arm::None)].map(of).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_words_as_they_were() {
        for (word, expected) in [
            ("u017", "u017"),
            ("", "''"),
            ("a diver's map", "'a diver'\\''s map'"),
            ("$(rm) `x` \"y\"", "'$(rm) `x` \"y\"'"),
            ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ] {
            assert_eq!(quoted(word), expected);
        }
        assert_eq!(given("--query", "-v of it"), "--query='-v of it'");
        assert_eq!(given("--user", "u1"), "--user u1");
    }
}
