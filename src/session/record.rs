//! From what the program computes to what a session writes, and back again exactly.
//!
//! Invariant: [`Evidence::weighed`] of [`Evidence::of`] a read is what the mediator weighs of that read, bit for bit.

use super::error::SessionError;
use super::event::{
    Answered, Asked, ByLabel, Claim, Conflict, Entry, Event, Evidence, GlobalEvidence, HeldItem, LEDGER, LocalEvidence,
    Period, Prose, Resolution, Setting, Vote, Written,
};
use crate::data::interaction::Timestamp;
use crate::engine::answer::{final_decision, memory_distribution, request, request_written};
use crate::engine::engine::{Answer, Engine};
use crate::engine::prompt::{Arm, Blocks, Question};
use crate::engine::reconcile;
use crate::engine::recorded::prompt_hash;
use crate::mediator;
use crate::mediator::conflict::{ConflictKind, Party};
use crate::mediator::fusion::fuse;
use crate::mediator::ledger::ledger;
use crate::mediator::policy::Disagreement;
use crate::mediator::{Course, Facet};
use crate::memory::collective::Parts;
use crate::memory::global::{GlobalHit, GlobalRead, PeriodView};
use crate::memory::held::Held;
use crate::memory::local::{LocalHit, LocalRead};
use crate::memory::population::ItemIx;
use crate::memory::profile::Profile;
use crate::memory::rating::Scored;
use crate::memory::{Memory, MemoryRead};

/// A recorded value that nothing can be computed from: changed by hand, or from another task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where in the event, `local.votes[2].response`.
    pub field: String,
    /// What stands there.
    pub recorded: String,
    /// What could stand there.
    pub expected: String,
}

impl Fault {
    fn unlabelled(field: String, label: &str) -> Self {
        Self { field, recorded: format!("'{label}'"), expected: "one of the header's labels".to_owned() }
    }
}

impl ByLabel {
    /// The numbers in the order of `labels`; every label has to be named once. `field` says where this stands.
    pub fn values(&self, labels: &[String], field: &str) -> Result<Vec<f64>, Fault> {
        if self.0.iter().map(|(label, _)| label).eq(labels) {
            return Ok(self.0.iter().map(|(_, value)| *value).collect());
        }
        if let Some((stranger, _)) = self.0.iter().find(|(label, _)| !labels.contains(label)) {
            return Err(Fault::unlabelled(field.to_owned(), stranger));
        }
        let count = |label: &String| self.0.iter().filter(|(name, _)| name == label).count();
        if let Some(label) = labels.iter().find(|label| count(label) != 1) {
            let recorded = format!("'{label}' {} times", count(label));
            return Err(Fault { field: field.to_owned(), recorded, expected: "every label once".to_owned() });
        }
        Ok(labels.iter().filter_map(|label| self.get(label)).collect())
    }
}

impl Evidence {
    /// Records what `memory` said.
    pub fn of(memory: &Memory, read: &MemoryRead) -> Self {
        let population = &memory.population;
        let labels = &population.labels;
        let vote = |hit: &LocalHit| Vote {
            id: population.id[hit.item].to_owned(),
            at: population.at[hit.item],
            text: population.text[hit.item].to_owned(),
            response: memory.response(hit.item).to_owned(),
            form: read.written.as_ref().map(|_| labels[hit.label].clone()),
            length: hit.length,
            terms: hit.terms,
            cosine: hit.cosine,
            age_days: hit.age_days,
            recency_rank: hit.recency_rank,
            crowd: hit.crowd,
        };
        let entry = |hit: &GlobalHit| Entry {
            id: hit.id.clone(),
            community: hit.community,
            terms: hit.terms,
            distribution: ByLabel::of(labels, &hit.distribution),
            mass: hit.mass,
            users: hit.users,
            top_terms: hit.top_terms.clone(),
            last_seen: hit.last_seen,
        };
        let (local, global) = (&read.local, &read.global);
        Self {
            local: LocalEvidence {
                shown: local.shown,
                calibration: memory.manifest.calibration.local,
                novelty: local.novelty,
                age_unit: local.age_unit,
                profile: ByLabel::of(labels, &local.profile.counts),
                votes: local.hits.iter().map(vote).collect(),
            },
            global: GlobalEvidence {
                base: ByLabel::of(labels, &global.base),
                population: ByLabel::of(labels, &global.population),
                community: ByLabel::of(labels, &global.community),
                crowd: read.scored.as_ref().map(|scored| scored.crowd),
                support: global.support,
                suppressed: global.suppressed,
                guard: memory.manifest.retrieval.guard,
                period: global.period.map(|period| Period { number: period.number, end: period.end }),
                membership: global.membership.clone(),
                members: global.members.clone(),
                entries: global.hits.iter().map(entry).collect(),
            },
            written: read.written.clone(),
        }
    }

    /// What the mediator weighs.
    pub fn weighed(&self, labels: &[String]) -> Result<mediator::Evidence, Fault> {
        // Where a vote stands among the interactions is nothing to the mediator.
        let read = self.read(labels, |_| 0)?;
        Ok(mediator::Evidence::of(&read, self.global.guard, self.local.calibration))
    }

    /// The scale of ratings, whose labels are its steps.
    fn scored(&self, labels: &[String]) -> Result<Option<Scored>, Fault> {
        let Some(crowd) = self.global.crowd else { return Ok(None) };
        let step = |label: &String| {
            let (recorded, expected) = (format!("'{label}'"), "a number, as every label of a rating is".to_owned());
            label.parse().map_err(|_| Fault { field: "labels".to_owned(), recorded, expected })
        };
        let steps: Vec<f64> = labels.iter().map(step).collect::<Result<_, _>>()?;
        Ok(Some(Scored { steps: steps.into(), crowd }))
    }

    /// What the mediator decides.
    pub fn facet(&self, labels: &[String]) -> Result<Facet, Fault> {
        Ok(match (self.scored(labels)?, &self.written) {
            (Some(scored), _) => Facet::Score(scored.steps),
            (None, Some(_)) => Facet::Form,
            (None, None) => Facet::Label,
        })
    }

    /// What memory said, for whoever shows a live read. `item` gives the place of a vote among the interactions that
    /// are at hand.
    pub fn read(&self, labels: &[String], mut item: impl FnMut(&Vote) -> ItemIx) -> Result<MemoryRead, Fault> {
        let (local, global) = (&self.local, &self.global);
        if labels.is_empty() {
            let (recorded, expected) = ("none".to_owned(), "the task's labels in the header".to_owned());
            return Err(Fault { field: "labels".to_owned(), recorded, expected });
        }
        let base = global.base.values(labels, "global.base")?;
        let mut hit = |(place, vote): (usize, &Vote)| {
            let label = labels.iter().position(|label| label == vote.label());
            let field = if vote.form.is_some() { "form" } else { "response" };
            let label =
                label.ok_or_else(|| Fault::unlabelled(format!("local.votes[{place}].{field}"), vote.label()))?;
            Ok(LocalHit {
                item: item(vote),
                label,
                terms: vote.terms,
                cosine: vote.cosine,
                age_days: vote.age_days,
                recency_rank: vote.recency_rank,
                crowd: vote.crowd,
                length: vote.length,
            })
        };
        let hits = local.votes.iter().enumerate().map(&mut hit).collect::<Result<_, _>>()?;
        let entry = |(place, entry): (usize, &Entry)| {
            Ok(GlobalHit {
                id: entry.id.clone(),
                community: entry.community,
                terms: entry.terms,
                distribution: entry.distribution.values(labels, &format!("global.entries[{place}].distribution"))?,
                mass: entry.mass,
                users: entry.users,
                top_terms: entry.top_terms.clone(),
                last_seen: entry.last_seen,
            })
        };
        Ok(MemoryRead {
            local: LocalRead {
                shown: local.shown.min(local.votes.len()),
                hits,
                profile: Profile { counts: local.profile.values(labels, "local.profile")? },
                novelty: local.novelty,
                age_unit: local.age_unit,
            },
            scored: self.scored(labels)?,
            written: self.written.clone(),
            global: GlobalRead {
                period: global.period.map(|period| PeriodView { number: period.number, end: period.end }),
                membership: global.membership.clone(),
                members: global.members.clone(),
                hits: global.entries.iter().enumerate().map(entry).collect::<Result<_, _>>()?,
                base,
                population: global.population.values(labels, "global.population")?,
                community: global.community.values(labels, "global.community")?,
                parts: Parts::silent(labels.len()),
                support: global.support,
                suppressed: global.suppressed,
            },
        })
    }
}

impl Resolution {
    /// Records what the mediator made of the evidence, and the conflicts it found there.
    pub fn of(labels: &[String], resolution: &mediator::Resolution, ledger: &[mediator::conflict::Conflict]) -> Self {
        let conflict = |conflict: &mediator::conflict::Conflict| Conflict::of(labels, &resolution.facet, conflict);
        Self {
            policy: resolution.policy,
            decision: labels[resolution.decision].clone(),
            runner_up: resolution.runner_up.map(|label| labels[label].clone()),
            margin: resolution.margin,
            held: resolution.held,
            overrides_local: resolution.overrides_local(),
            mass: resolution.mass,
            kish: resolution.kish,
            support: resolution.support,
            ledger: LEDGER,
            conflicts: ledger.iter().map(conflict).collect(),
            distribution: ByLabel::of(labels, &resolution.distribution),
            local: ByLabel::of(labels, &resolution.local),
            global: ByLabel::of(labels, &resolution.global),
            style: resolution.style,
        }
    }
}

impl Resolution {
    /// The same as an earlier program would have recorded it, which knew the rules of `ledger` alone.
    #[must_use]
    pub fn by_rules_of(mut self, ledger: u32) -> Self {
        if ledger == 0 {
            self.ledger = 0;
            self.conflicts.retain(|found| matches!(found.r#type, ConflictKind::Value | ConflictKind::Coverage));
            for found in &mut self.conflicts {
                (found.margin, found.strength, found.winner, found.kept) = (None, None, None, None);
                found.sides.clear();
            }
        }
        self
    }
}

impl Conflict {
    /// Records a disagreement about `facet`.
    pub fn of(labels: &[String], facet: &Facet, conflict: &mediator::conflict::Conflict) -> Self {
        let claim = |claim: &mediator::conflict::Claim| Claim {
            party: claim.party,
            label: labels[claim.label].clone(),
            p: claim.p,
            nats: claim.nats,
            n: claim.n,
        };
        let [local, global] = &conflict.claims;
        Self {
            r#type: conflict.kind,
            facet: facet.name().to_owned(),
            local: labels[local.label].clone(),
            global: labels[global.label].clone(),
            divergence: conflict.divergence,
            silent: conflict.silent,
            sides: conflict.claims.iter().map(claim).collect(),
            margin: Some(conflict.margin),
            strength: conflict.strength,
            winner: conflict.winner,
            kept: conflict.kept,
        }
    }

    /// The disagreement as it was recorded in `resolution`, for whoever shows a live one; `None` where it was changed by
    /// hand so that it fits no label. Of ledger 0 the sides are what the resolution says of them, and nobody has won.
    pub fn told(&self, labels: &[String], resolution: &Resolution) -> Option<mediator::conflict::Conflict> {
        let label = |name: &String| labels.iter().position(|label| label == name);
        let claim = |claim: &Claim| {
            let Claim { party, p, nats, n, .. } = *claim;
            Some(mediator::conflict::Claim { party, label: label(&claim.label)?, p, nats, n })
        };
        let bare = |party, name: &String, p: &ByLabel, n| {
            let p = p.get(name)?;
            Some(mediator::conflict::Claim { party, label: label(name)?, p, nats: 0.0, n })
        };
        let claims = match self.sides.as_slice() {
            [first, second] => [claim(first)?, claim(second)?],
            _ => [
                bare(Party::Local, &self.local, &resolution.local, resolution.mass)?,
                bare(Party::Global, &self.global, &resolution.global, resolution.support as f64)?,
            ],
        };
        Some(mediator::conflict::Conflict {
            kind: self.r#type,
            claims,
            divergence: self.divergence,
            margin: self.margin.unwrap_or_default(),
            strength: self.strength,
            silent: self.silent,
            winner: self.winner,
            kept: self.kept,
        })
    }
}

impl Answered {
    /// Records an arm's answer: memory alone, or fused with what the model `said`.
    pub fn of(
        labels: &[String],
        arm: Arm,
        prompt: &str,
        resolution: &mediator::Resolution,
        model_trust: f64,
        said: Option<&Answer>,
    ) -> Self {
        let scores = said.map(|answer| answer.scores.as_slice());
        let (distribution, decision) = finally(resolution, arm, model_trust, scores);
        let log_probabilities = said.map(|answer| ByLabel::of(labels, &answer.scores));
        let (text, tokens) = said.map_or((String::new(), 0), |answer| (answer.text.clone(), answer.stats.tokens));
        Self {
            arm,
            answer: labels[decision].clone(),
            distribution: ByLabel::of(labels, &distribution),
            prompt: prompt_hash(prompt),
            seal: log_probabilities.as_ref().map(|p| Self::seal_of(p, &text, tokens)),
            log_probabilities,
            text,
            tokens,
            written: None,
            profile: None,
        }
    }

    /// The same of an arm that was given a profile, if it sees the person's own memory.
    #[must_use]
    pub fn knowing(mut self, profile: Option<Prose>) -> Self {
        self.profile = profile.filter(|_| self.arm.sees_local());
        self
    }

    /// The same of an arm that read a memory which the model wrote.
    #[must_use]
    pub fn having_read(
        mut self,
        written: &reconcile::Written,
        resolution: &mediator::Resolution,
        said: &Answer,
    ) -> Self {
        let (text, tokens) = (written.text.clone(), written.stats.tokens);
        self.written = Some(Written {
            prompt: prompt_hash(&written.prompt),
            seal: Written::seal_of(&text, tokens),
            disagreement: Disagreement::of(resolution, &said.scores),
            text,
            tokens,
        });
        self
    }
}

impl Written {
    /// A fingerprint of what the model wrote.
    pub fn seal_of(text: &str, tokens: usize) -> String {
        Answered::seal_of(&ByLabel::default(), text, tokens)
    }
}

/// An arm's final distribution and decision: its memory, fused with the model's log-probabilities where there are any.
pub fn finally(
    resolution: &mediator::Resolution,
    arm: Arm,
    model_trust: f64,
    scores: Option<&[f64]>,
) -> (Vec<f64>, usize) {
    let memory = memory_distribution(resolution, arm);
    // A text task's model scores nothing.
    let scores = scores.filter(|scores| !scores.is_empty());
    let distribution = scores.map_or_else(|| memory.to_vec(), |scores| fuse(scores, memory, model_trust));
    let decision = final_decision(resolution, arm, &distribution, scores.is_some() && model_trust > 0.0);
    (distribution, decision)
}

/// What a question says is held, in the words of a session.
pub fn told(memory: &Memory, held: &Held) -> Vec<HeldItem> {
    let population = &memory.population;
    let item = |(item, at): (&ItemIx, &Timestamp)| HeldItem {
        id: population.id[*item].to_owned(),
        at: (*at != population.at[*item]).then_some(*at),
    };
    held.items().iter().zip(held.moments()).map(item).collect()
}

/// Reads both memories for a question, holding what it says is held.
///
/// # Errors
///
/// [`SessionError::Unheld`] where the person cannot remember that.
pub fn read(memory: &Memory, asked: &Asked) -> Result<MemoryRead, SessionError> {
    let question = Question { user: asked.user.clone(), query: asked.query.clone(), at: asked.at };
    read_holding(memory, &question, asked.held.as_deref())
}

/// The same of a question that stands in no session yet.
///
/// # Errors
///
/// As of [`read`].
pub fn read_holding(
    memory: &Memory,
    question: &Question,
    held: Option<&[HeldItem]>,
) -> Result<MemoryRead, SessionError> {
    let Question { user, query, at } = question;
    let Some(held) = held else { return Ok(memory.read(user, query, *at)?) };
    let population = &memory.population;
    let entries = held.iter().map(|item| (item.id.as_str(), item.at));
    let held = Held::of(population, population.user_ix(user), *at, entries);
    let held = held.map_err(|reason| SessionError::Unheld { reason })?;
    Ok(memory.read_held(user, query, None, *at, &held)?)
}

/// Asks one question on all arms: the events of a turn, the next of `course`. Without an engine memory alone answers.
pub fn turn(
    memory: &Memory,
    engine: Option<&dyn Engine>,
    setting: Setting,
    course: &mut Course,
    asked: Asked,
) -> Result<Vec<Event>, SessionError> {
    turn_knowing(memory, engine, setting, course, asked, None)
}

/// The same where the arms that see the person's own memory are given a profile with it.
pub fn turn_knowing(
    memory: &Memory,
    engine: Option<&dyn Engine>,
    setting: Setting,
    course: &mut Course,
    asked: Asked,
    profile: Option<Prose>,
) -> Result<Vec<Event>, SessionError> {
    let labels = &memory.population.labels;
    let read = read(memory, &asked)?;
    let weighed = mediator::Evidence::of(&read, memory.manifest.retrieval.guard, memory.manifest.calibration.local);
    let alone = mediator::mediate(&weighed, &setting.weights, setting.policy);
    let resolution = course.settle(&asked.user, alone, setting.weights.hysteresis);
    *course = Course::after(&asked.user, &resolution);
    let conflicts = ledger(&weighed, &setting.weights, &resolution);
    // Without memories there is no place for it, and nothing that it could have been made from.
    let visible = read.local.visible();
    let profile = profile.filter(|_| visible > 0).map(|profile| Prose { of: visible, ..profile });
    let prose = profile.as_ref().map(|profile| profile.prose.as_str());
    let blocks = Blocks::of(memory, &asked.query, &read).with_profile(prose);
    reconcile::check(setting.policy, engine.map(Engine::caps))?;
    let mut answers = Vec::new();
    for arm in Arm::ALL {
        let writer = engine.filter(|_| arm == Arm::Mediated && setting.policy.writes());
        let written = writer.map(|engine| reconcile::write(engine, &blocks, &setting.weights)).transpose()?;
        let request = match &written {
            Some(written) => request_written(&blocks, memory.scored_labels(), &written.text),
            None => request(&blocks, memory.scored_labels(), arm, &setting.weights),
        };
        let prompt = request.prompt.clone();
        let said = engine.map(|engine| engine.generate(request).finish()).transpose()?;
        let model_trust = setting.weights.model_trust;
        let answered = Answered::of(labels, arm, &prompt, &resolution, model_trust, said.as_ref());
        let answered = answered.knowing(profile.clone());
        answers.push(Event::Answered(match (&written, &said) {
            // Without scores there is nothing that could disagree with the rules.
            (Some(written), Some(said)) if !said.scores.is_empty() || memory.scored_labels().is_empty() => {
                answered.having_read(written, &resolution, said)
            }
            _ => answered,
        }));
    }
    let mut events = vec![
        Event::Asked(asked),
        Event::Evidence(Evidence::of(memory, &read)),
        Event::Mediated { resolution: Resolution::of(labels, &resolution, &conflicts) },
    ];
    events.extend(answers);
    Ok(events)
}
