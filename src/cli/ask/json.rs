//! An answer as an object, by contract.

use serde::Serialize;
use serde_json::{Map, Value};

use super::profile::Standing;
use super::{Asked, SCHEMA};
use crate::data::interaction::Timestamp;
use crate::engine::answer::memory_length;
use crate::engine::recorded::prompt_hash;
use crate::mediator::Facet;
use crate::mediator::counterfactual::Removed;
use crate::mediator::style::Length;
use crate::memory::Memory;
use crate::memory::fusion::{EntryTerms, LocalTerms};
use crate::session::event;

#[derive(Serialize)]
struct LocalHitJson<'a> {
    id: &'a str,
    at: Timestamp,
    text: &'a str,
    response: &'a str,
    /// Of texts: what the response votes for.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<&'a str>,
    score: f64,
    terms: LocalTerms,
    /// m_G of the same thing, of ratings.
    #[serde(skip_serializing_if = "Option::is_none")]
    crowd: Option<f64>,
    /// By how much the person departed from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    residual: Option<f64>,
}

#[derive(Serialize)]
struct GlobalHitJson<'a> {
    id: &'a str,
    response_distribution: Value,
    users: usize,
    score: f64,
    terms: EntryTerms,
    top_terms: &'a [String],
    last_seen: Timestamp,
}

/// `{label: probability}` in label order.
fn distribution(labels: &[String], p: &[f64]) -> Value {
    Value::Object(labels.iter().cloned().zip(p.iter().map(|p| Value::from(*p))).collect::<Map<_, _>>())
}

/// Lengths in words, as a text task tells them.
fn length_object(length: &Length) -> Value {
    let words = |length: Option<f64>| length.map(f64::exp);
    let conflict = length.conflict.map(|apart| {
        serde_json::json!({
            "local": apart.own.exp(), "global": apart.others.exp(), "standard_errors": apart.errors,
        })
    });
    serde_json::json!({
        "base": words(length.base), "local": words(length.local), "global": words(length.global),
        "mediated": words(length.mediated), "log_spread": length.spread, "conflict": conflict,
    })
}

/// Adds what a rating task says of `p`, its median being `decision`.
fn add_score(object: &mut Value, facet: &Facet, p: &[f64], decision: usize) {
    if let (Facet::Score(steps), Some(mean)) = (facet, facet.mean(p)) {
        object["mean"] = mean.into();
        object["median"] = steps[decision].into();
    }
}

impl Asked<'_> {
    /// The object of the command-line contract.
    pub(super) fn to_json(&self, memory: &Memory) -> Value {
        let labels = &memory.population.labels;
        let label = |ix: usize| labels[ix].as_str();
        let local_hits: Vec<LocalHitJson> = self
            .read
            .local
            .shown()
            .iter()
            .map(|hit| LocalHitJson {
                id: &memory.population.id[hit.item],
                at: memory.population.at[hit.item],
                text: &memory.population.text[hit.item],
                response: memory.response(hit.item),
                form: self.read.written.as_ref().map(|_| label(hit.label)),
                score: hit.terms.score(),
                terms: hit.terms,
                crowd: hit.crowd,
                residual: self.residual(hit),
            })
            .collect();
        let global = &self.read.global;
        let global_hits: Vec<GlobalHitJson> = global
            .hits
            .iter()
            .map(|hit| GlobalHitJson {
                id: &hit.id,
                response_distribution: distribution(labels, &hit.distribution),
                users: hit.users,
                score: hit.terms.score(),
                terms: hit.terms,
                top_terms: &hit.top_terms,
                last_seen: hit.last_seen,
            })
            .collect();
        let r = &self.resolution;
        let conflicts: Vec<Value> = self
            .ledger
            .iter()
            .map(|conflict| {
                let mut value = serde_json::json!(event::Conflict::of(labels, &r.facet, conflict));
                value["rule"] = conflict.rule().into();
                for (place, _) in conflict.claims.iter().enumerate().filter(|(_, claim)| conflict.denies(claim)) {
                    value["sides"][place]["denies"] = true.into();
                }
                value
            })
            .collect();
        let without: Vec<Value> = self
            .told()
            .map(|without| {
                let removed = match without.removed {
                    Removed::Item(place) => {
                        let item = self.read.local.hits.get(place).map(|hit| &memory.population.id[hit.item]);
                        serde_json::json!({"kind": "item", "id": item})
                    }
                    Removed::Community(community) => serde_json::json!({"kind": "community", "community": community}),
                    Removed::Side(side) => serde_json::json!({"kind": "side", "side": side}),
                };
                serde_json::json!({
                    "without": removed, "decision": label(without.decision), "margin": without.margin,
                    "nats": without.nats, "changes": without.changes,
                })
            })
            .collect();
        let signatures: Vec<&str> = self.signature.iter().map(|signature| signature.name()).collect();
        let flips: Vec<Value> = self
            .flips
            .iter()
            .map(|flip| {
                // JSON has no infinity: an endless half-life is the string "inf", as in files of weights.
                let number = |x: f64| if x.is_finite() { Value::from(x) } else { Value::from("inf") };
                serde_json::json!({
                    "weight": flip.weight, "now": number(flip.now), "at": number(flip.at), "becomes": label(flip.becomes)
                })
            })
            .collect();
        let arms: Map<String, Value> = self
            .arms
            .iter()
            .map(|(arm, a)| {
                let mut value = serde_json::json!({
                    "answer": label(a.decision), "distribution": distribution(labels, &a.distribution), "text": a.text,
                    "tokens": a.tokens, "ms": a.milliseconds, "ttft_ms": a.first_token_milliseconds,
                });
                add_score(&mut value, &r.facet, &a.distribution, a.decision);
                if let Some(length) = memory_length(r, *arm) {
                    value["length"] = length.exp().into();
                }
                (arm.name().to_owned(), value)
            })
            .collect();
        let mut object = serde_json::json!({
            "schema": SCHEMA,
            "dataset": memory.manifest.name,
            "user": self.question.user,
            "at": self.question.at,
            "query": self.question.query,
            "weights": self.weights,
            "policy": self.policy,
            "local": {
                "visible": self.read.local.visible(),
                "hits": local_hits,
                "profile": distribution(labels, &self.read.local.profile.distribution()),
            },
            "global": {
                "community": global.leading().map(|(community, _)| community),
                "members": global.leading().map(|(community, _)| global.members[community]),
                "period": global.period.map(|period| period.number),
                "suppressed": global.suppressed,
                "hits": global_hits,
            },
            "mediation": {
                "distribution": distribution(labels, &r.distribution),
                "decision": label(r.decision),
                "margin": r.margin,
                "conflicts": conflicts,
                "counterfactuals": without,
                "signatures": signatures,
                "flips": flips,
            },
            "arms": arms,
        });
        add_score(&mut object["mediation"], &r.facet, &r.distribution, r.decision);
        if let (Some(style), Some(written)) = (&r.style, &self.read.written) {
            object["local"]["terms"] = serde_json::json!(written.own_terms);
            object["global"]["terms"] = serde_json::json!(written.terms);
            object["mediation"]["length"] = length_object(&style.length);
            let terms = style.words(&written.own_terms, &written.terms);
            let terms = terms.map(|(side, word)| serde_json::json!({"word": word, "of": side}));
            object["mediation"]["terms"] = Value::Array(terms.collect());
        }
        if let Some(standing) = &self.profile {
            let Standing { profile, of, cached } = standing;
            object["local"]["prose"] = serde_json::json!({
                "text": profile.text(), "from": profile.from, "of": of, "edited": profile.edited.is_some(),
                "cached": cached, "tokens": profile.tokens,
            });
        }
        if let Some((written, disagreement)) = &self.written {
            object["mediation"]["rule"] = r.policy.to_string().into();
            object["mediation"]["written"] = serde_json::json!({
                "text": written.text, "prompt": prompt_hash(&written.prompt), "tokens": written.stats.tokens,
                "ms": written.stats.elapsed.as_secs_f64() * 1e3, "disagreement": disagreement,
            });
        }
        if let Some(caps) = &self.model {
            object["model"] = serde_json::json!({"name": caps.name, "device": caps.device, "scores": caps.score});
        }
        if let Some(scored) = &self.read.scored {
            object["global"]["crowd"] = serde_json::json!({"mean": scored.crowd, "raters": global.support});
            if let Some(nearest) = memory.nearest_things(&self.question.query, self.question.at) {
                object["global"]["crowd"]["named"] = false.into();
                object["global"]["crowd"]["nearest"] = serde_json::json!(nearest);
            }
        }
        object
    }
}
