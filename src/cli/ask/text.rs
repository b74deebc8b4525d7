//! An answer for reading.

use super::Asked;
use crate::cli::output::shown;
use crate::data::sanitize::visible;
use crate::engine::answer::memory_length;
use crate::mediator::conflict::Side;
use crate::mediator::style::{self, Length};
use crate::mediator::words;
use crate::memory::Memory;
use crate::memory::rating::unnamed;
use crate::view::text::sum_of;

impl Asked<'_> {
    /// How long a text is to be, and its words.
    pub(super) fn write_style(&self, out: &mut String) {
        use std::fmt::Write as _;
        let (Some(style), Some(written)) = (&self.resolution.style, &self.read.written) else { return };
        let told = |length: Option<f64>| length.map_or("unknown".to_owned(), style::told);
        let Length { local, global, mediated, conflict, .. } = style.length;
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  length   {}   local {}, global {}", told(mediated), told(local), told(global));
        if let Some(apart) = conflict {
            let (own, others) = (style::told(apart.own), style::told(apart.others));
            let _ = writeln!(
                out,
                "  conflict length: local {own}, global {others}, {:.1} standard errors apart",
                apart.errors
            );
        }
        let terms: Vec<String> = style
            .words(&written.own_terms, &written.terms)
            .map(|(side, word)| {
                let whose = if side == Side::Local { "own" } else { "others" };
                format!("{} ({whose})", visible(word))
            })
            .collect();
        let _ = writeln!(out, "  words    {}", if terms.is_empty() { "none".to_owned() } else { terms.join(", ") });
    }

    /// Of a rating task, that nothing is called as the query, with titles that are like it.
    fn unnamed(&self, memory: &Memory) -> Option<String> {
        let nearest = memory.nearest_things(&self.question.query, self.question.at)?;
        Some(unnamed(&shown(&self.question.query), &nearest))
    }

    /// For reading, in plain lines.
    pub(super) fn to_text(&self, memory: &Memory, explain: bool) -> String {
        use std::fmt::Write as _;
        let labels: Vec<String> = memory.population.labels.iter().map(|label| visible(label).into_owned()).collect();
        let top = |p: &[f64]| {
            let mut ranked: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let named = ranked.iter().take(3).filter(|(_, p)| *p >= 0.005);
            named.map(|(y, p)| format!("{} {p:.2}", labels[*y])).collect::<Vec<_>>().join(", ")
        };
        let facet = &self.resolution.facet;
        let told = |p: &[f64]| match facet.mean(p) {
            Some(mean) => format!("mean {mean:.1} · median {} ({})", labels[self.resolution.decide(p)], top(p)),
            None => top(p),
        };
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{} · {} · {}",
            visible(self.question.user.as_str()),
            self.question.at,
            shown(&self.question.query)
        );
        let _ = writeln!(out, "\nlocal memory: {} visible items", self.read.local.visible());
        for hit in self.read.local.shown() {
            let t = hit.terms;
            let (score, parts) = match &self.read.scored {
                Some(_) if t.attributes > 0.0 || t.similarity() == 0.0 => {
                    let (score, [attributes, recency]) = sum_of(t.score(), [t.attributes, t.recency]);
                    (score, format!("attributes {attributes} + recency {recency}"))
                }
                _ => {
                    let (score, [lexical, dense, recency]) = sum_of(t.score(), [t.lexical, t.dense, t.recency]);
                    (score, format!("lexical {lexical} + dense {dense} + recency {recency}"))
                }
            };
            let departed = match (hit.crowd, self.residual(hit)) {
                (Some(crowd), Some(residual)) => format!(", crowd {crowd:.1}, residual {residual:+.1}"),
                _ => String::new(),
            };
            let _ = writeln!(
                out,
                "  {score} {:18} {} = {parts}{departed}, {:.0} d: {}",
                labels[hit.label],
                visible(&memory.population.id[hit.item]),
                hit.age_days,
                shown(&memory.population.text[hit.item])
            );
            if self.read.written.is_some() {
                let _ = writeln!(out, "       wrote: {}", shown(memory.response(hit.item)));
            }
        }
        if let Some(standing) = &self.profile {
            let _ = writeln!(out, "  profile, {}: {}", standing.told(), visible(standing.profile.text()));
        }
        let global = &self.read.global;
        let whose = match global.leading() {
            Some((community, p)) => format!("community {community} ({} users, {p:.2})", global.members[community]),
            None => "no clear community".to_owned(),
        };
        let period = global.period.map_or("no period closed yet".to_owned(), |p| format!("period {}", p.number));
        match &self.read.scored {
            Some(scored) => {
                let told = match (global.support, global.suppressed) {
                    (0, 0) => self.unnamed(memory).unwrap_or_else(|| {
                        "nobody else rated this; what others give to everything is all there is".to_owned()
                    }),
                    (0, _) => {
                        "suppressed, too few others rated this; what they give to everything is all there is".to_owned()
                    }
                    (raters, _) => format!("{raters} others rated this"),
                };
                let _ = writeln!(out, "\nglobal memory: {told}; crowd mean {:.1}", scored.crowd);
            }
            None => {
                let _ = writeln!(out, "\nglobal memory: {whose}, {period}, {} entries suppressed", global.suppressed);
            }
        }
        // The crowd's opinion of one thing is told with the global side below.
        for hit in global.hits.iter().filter(|_| self.read.scored.is_none()) {
            let t = hit.terms;
            let (score, [lexical, dense, community]) = sum_of(t.score(), [t.lexical, t.dense, t.community]);
            let _ = writeln!(
                out,
                "  {score} {} = lexical {lexical} + dense {dense} + community {community}, {} users: {} ({})",
                hit.id,
                hit.users,
                top(&hit.distribution),
                visible(&hit.top_terms.join(", "))
            );
        }
        let r = &self.resolution;
        let _ = writeln!(out, "\nmediator: policy {}, {}", self.policy, self.policy.rule().formula());
        if r.policy != self.policy {
            let _ = writeln!(out, "  the rules decide by {}, {}", r.policy, r.policy.rule().formula());
        }
        let _ = writeln!(out, "  local    {}   (worth {:.1} examples)", told(&r.local), r.mass);
        let _ = writeln!(out, "  global   {}   ({} contributors)", told(&r.global), r.support);
        let _ = writeln!(out, "  mediated {}   margin {:.2}", told(&r.distribution), r.margin);
        self.write_style(&mut out);
        let item = |place: usize| {
            let hit = self.read.local.hits.get(place);
            hit.map_or(String::new(), |hit| visible(&memory.population.id[hit.item]).into_owned())
        };
        let named = |label: usize| labels[label].clone();
        for conflicts in words::together(&self.ledger) {
            let (told, bits) = (words::headlines(conflicts, &named), conflicts[0].divergence);
            let _ = writeln!(out, "  {told}, divergence {bits:.2}");
            for line in words::all_details(conflicts, &named).iter().filter(|_| explain) {
                let _ = writeln!(out, "    {line}");
            }
        }
        if let Some(aid) = words::reading_aid(&r.facet).filter(|_| explain) {
            let _ = writeln!(out, "  {aid}");
        }
        if let Some(signature) = &self.signature {
            let _ = writeln!(out, "  {}", words::signature(*signature, &named, &item));
        }
        for without in self.told().filter(|_| explain) {
            let _ = writeln!(out, "  {}", words::without(without, &named, &item));
        }
        for flip in &self.flips {
            let (weight, at, now) = (flip.weight, flip.at, flip.now);
            let _ = writeln!(out, "  flips to {} at {weight} {at} (now {now})", labels[flip.becomes]);
        }
        if let Some((written, disagreement)) = &self.written {
            let (tokens, ms) = (written.stats.tokens, written.stats.elapsed.as_secs_f64() * 1e3);
            let _ = writeln!(out, "\nthe model wrote, in {tokens} tokens and {ms:.0} ms:");
            let _ = writeln!(out, "  {}", visible(&written.text));
            if let Some(disagreement) = disagreement {
                let _ = writeln!(out, "  having read that, {}", words::disagreement(disagreement));
            }
        }
        let caveat =
            self.model.as_ref().and_then(|caps| caps.score.caveat().filter(|_| !memory.scored_labels().is_empty()));
        let caveat = caveat.map_or(String::new(), |caveat| format!(" (the model gives {caveat})"));
        let _ = writeln!(out, "\nanswers{caveat}:");
        for (arm, a) in &self.arms {
            let sure = match facet.mean(&a.distribution) {
                Some(mean) => format!("mean {mean:.1} · median {}", labels[a.decision]),
                None => format!("{:18} {:.2}", labels[a.decision], a.distribution[a.decision]),
            };
            let _ = writeln!(
                out,
                "  {:9}{sure}   {}",
                arm.name(),
                match a.tokens {
                    0 => match memory_length(&self.resolution, *arm) {
                        Some(length) => format!("memory only, about {}", style::told(length)),
                        None => "memory only".to_owned(),
                    },
                    n => format!("\"{}\", {n} tokens, {:.0} ms", visible(&a.text), a.milliseconds),
                }
            );
        }
        out.push('\n');
        out
    }
}
