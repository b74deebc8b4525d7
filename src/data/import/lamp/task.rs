//! LaMP's tasks and the wording of their prompts.
//!
//! Source of the wordings: the LaMP benchmark (A. Salemi et al., 2023, arXiv 2304.11406) and its published files. The order
//! of labels differs from prompt to prompt, so it is read from each.

use std::fmt;
use std::str::FromStr;

use crate::data::dataset::{TaskKind, Wording};
use crate::data::scale::Scale;

/// A task of the benchmark. LaMP-2 exists twice: news categories first, movie tags since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// LaMP-1: which of two references does a paper cite?
    Citation,
    /// LaMP-2, new: which tag does a film get?
    MovieTag,
    /// LaMP-2, old: which category does an article get?
    NewsCategory,
    /// LaMP-3: how many stars does a review give?
    ProductRating,
    /// LaMP-4: a headline for an article.
    Headline,
    /// LaMP-5: a title for an abstract.
    ScholarlyTitle,
    /// LaMP-6: a subject for an email.
    EmailSubject,
    /// LaMP-7: a tweet in the person's words.
    Tweet,
}

/// What a profile item's fields become.
pub struct Fields {
    /// The field that becomes the query.
    pub query: &'static str,
    /// The field that becomes the response.
    pub response: &'static str,
}

/// A prompt taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// What is asked about, without the instruction.
    pub query: String,
    /// What may be answered.
    pub answer: Answer,
}

/// What a prompt allows as its answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One of these, in the prompt's order.
    Labels(Vec<String>),
    /// A score.
    Score(Scale),
    /// `[1]` or `[2]`, which stand for these titles.
    Reference([String; 2]),
    /// Any text.
    Text,
}

impl Task {
    /// All of them.
    pub const ALL: [Task; 8] = [
        Task::Citation,
        Task::MovieTag,
        Task::NewsCategory,
        Task::ProductRating,
        Task::Headline,
        Task::ScholarlyTitle,
        Task::EmailSubject,
        Task::Tweet,
    ];

    /// The task's name in files of outputs. The two LaMP-2 carry their letter, as later work writes them.
    pub fn name(self) -> &'static str {
        match self {
            Task::Citation => "LaMP_1",
            Task::MovieTag => "LaMP_2M",
            Task::NewsCategory => "LaMP_2N",
            Task::ProductRating => "LaMP_3",
            Task::Headline => "LaMP_4",
            Task::ScholarlyTitle => "LaMP_5",
            Task::EmailSubject => "LaMP_6",
            Task::Tweet => "LaMP_7",
        }
    }

    /// How every prompt of the task begins.
    fn beginning(self) -> &'static str {
        match self {
            Task::Citation => "For an author who has written the paper with the title \"",
            Task::MovieTag => "Which tag does this movie relate to",
            Task::NewsCategory => "Which category does this article relate to",
            Task::ProductRating => "What is the score of the following review",
            Task::Headline => "Generate a headline for the following article:",
            Task::ScholarlyTitle => "Generate a title for the following abstract of a paper:",
            Task::EmailSubject => "Generate a subject for the following email:",
            Task::Tweet => "Paraphrase the following tweet without any explanation before or after it:",
        }
    }

    /// The task whose prompts begin as `input` does.
    pub fn of(input: &str) -> Option<Task> {
        Task::ALL.into_iter().find(|task| input.trim_start().starts_with(task.beginning()))
    }

    /// The prompt `input`, if it is worded as the task's prompts are.
    pub fn prompt(self, input: &str) -> Option<Prompt> {
        let rest = input.trim().strip_prefix(self.beginning())?;
        let (query, answer) = match self {
            Task::Citation => {
                let (title, rest) = rest.split_once("\", which reference is related?")?;
                let (_, rest) = rest.split_once("[1]: \"")?;
                let (first, second) = rest.split_once("\" [2]: \"")?;
                let second = second.strip_suffix('"')?;
                let query = format!("{title} [1]: {first} [2]: {second}");
                (query, Answer::Reference([first.to_owned(), second.to_owned()]))
            }
            Task::MovieTag => labelled(rest, "tags: [", "] description:")?,
            Task::NewsCategory => labelled(rest, "categories: [", "] article:")?,
            Task::ProductRating => {
                let (instruction, review) = rest.split_once("review:")?;
                (review.to_owned(), Answer::Score(scale(instruction)?))
            }
            Task::Headline | Task::ScholarlyTitle | Task::EmailSubject | Task::Tweet => (rest.to_owned(), Answer::Text),
        };
        let query = query.trim().to_owned();
        (!query.is_empty()).then_some(Prompt { query, answer })
    }

    /// What profile items hold. A tweet is both what is matched and what the person wrote.
    pub fn fields(self) -> Fields {
        let (query, response) = match self {
            Task::Citation => ("title", "abstract"),
            Task::MovieTag => ("description", "tag"),
            Task::NewsCategory => ("text", "category"),
            Task::ProductRating => ("text", "score"),
            Task::Headline | Task::EmailSubject => ("text", "title"),
            Task::ScholarlyTitle => ("abstract", "title"),
            Task::Tweet => ("text", "text"),
        };
        Fields { query, response }
    }

    /// The kind of task that a dataset of it has. The papers of LaMP-1's profiles bear none of its labels, so they can
    /// only be kept as texts.
    pub fn kind(self) -> TaskKind {
        match self {
            Task::MovieTag | Task::NewsCategory => TaskKind::Labels,
            Task::ProductRating => TaskKind::Rating,
            _ => TaskKind::Text,
        }
    }

    /// How prompts of ours name things.
    pub fn wording(self) -> Wording {
        let (query, response) = match self {
            Task::Citation => ("paper", "reference"),
            Task::MovieTag => ("film", "tag"),
            Task::NewsCategory => ("article", "category"),
            Task::ProductRating => ("review", "score"),
            Task::Headline => ("article", "headline"),
            Task::ScholarlyTitle => ("abstract", "title"),
            Task::EmailSubject => ("email", "subject"),
            Task::Tweet => ("tweet", "paraphrase"),
        };
        Wording { query: query.to_owned(), response: response.to_owned() }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The labels between `open` and `close` and what follows.
fn labelled(text: &str, open: &str, close: &str) -> Option<(String, Answer)> {
    let (list, query) = text.split_once(open)?.1.split_once(close)?;
    let bare = |label: &str| {
        let label = label.trim();
        let quoted = ['\'', '"'].into_iter().find_map(|quote| label.strip_prefix(quote)?.strip_suffix(quote));
        quoted.unwrap_or(label).trim().to_owned()
    };
    let mut labels: Vec<String> = Vec::new();
    for label in list.split(',').map(bare).filter(|label| !label.is_empty()) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    (labels.len() > 1).then(|| (query.to_owned(), Answer::Labels(labels)))
}

/// The scale that an instruction names: `on a scale of 1 to 5`.
fn scale(instruction: &str) -> Option<Scale> {
    let mut words = instruction.split_once("on a scale of ")?.1.split_whitespace();
    let low = words.next()?.parse().ok()?;
    words.next().filter(|word| *word == "to")?;
    let high = words.next()?.trim_end_matches(['.', '?', ',']).parse().ok()?;
    Some(Scale { low, high, step: 1.0 }).filter(|scale| scale.fault().is_none())
}

/// The tasks that a person asks for by number: `2` may be either LaMP-2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    written: String,
    tasks: Vec<Task>,
}

impl Wanted {
    /// Whether `task` was asked for.
    pub fn allows(&self, task: Task) -> bool {
        self.tasks.contains(&task)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.written)
    }
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim().to_uppercase().replace('-', "_");
        let number = number.strip_prefix("LAMP_").unwrap_or(&number);
        let fits = |task: &Task| {
            let name = task.name().trim_start_matches("LaMP_");
            name == number || number == "2" && name.starts_with('2')
        };
        let tasks: Vec<Task> = Task::ALL.into_iter().filter(fits).collect();
        if tasks.is_empty() {
            return Err(format!("'{text}' is no LaMP task; give 1, 2, 2M, 2N, 3, 4, 5, 6 or 7"));
        }
        Ok(Self { written: number.to_owned(), tasks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_taken_apart() {
        let labels = |labels: &[&str]| Answer::Labels(labels.iter().map(|label| (*label).to_owned()).collect());
        let stars = Scale { low: 1.0, high: 5.0, step: 1.0 };
        for (task, input, query, answer) in [
            (
                Task::Citation,
                "For an author who has written the paper with the title \"On \"quoted\" things\", which reference is \
                 related? Just answer with [1] or [2] without explanation. [1]: \"First, a title\" [2]: \"A \"second\"\"",
                "On \"quoted\" things [1]: First, a title [2]: A \"second\"",
                Answer::Reference(["First, a title".to_owned(), "A \"second\"".to_owned()]),
            ),
            (
                Task::MovieTag,
                "Which tag does this movie relate to among the following tags? Just answer with the tag name without \
                 further explanation. tags: [sci-fi, based on a book, true story] description: A [sic] film. description: x",
                "A [sic] film. description: x",
                labels(&["sci-fi", "based on a book", "true story"]),
            ),
            (
                Task::NewsCategory,
                "Which category does this article relate to among the following categories? Just answer with the \
                 category name without further explanation. categories: ['food & drink', 'women'] article: Bread.",
                "Bread.",
                labels(&["food & drink", "women"]),
            ),
            (
                Task::ProductRating,
                "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, 4, or 5 \
                 without further explanation. review: My review: good",
                "My review: good",
                Answer::Score(stars),
            ),
            (Task::Headline, "Generate a headline for the following article: X: y", "X: y", Answer::Text),
            (
                Task::ScholarlyTitle,
                "Generate a title for the following abstract of a paper: We show.",
                "We show.",
                Answer::Text,
            ),
            (Task::EmailSubject, "Generate a subject for the following email: Hi", "Hi", Answer::Text),
            (
                Task::Tweet,
                "Paraphrase the following tweet without any explanation before or after it: so late",
                "so late",
                Answer::Text,
            ),
        ] {
            assert_eq!(Task::of(input), Some(task));
            assert_eq!(task.prompt(input), Some(Prompt { query: query.to_owned(), answer }), "{task}");
        }
    }

    #[test]
    fn other_wordings_are_no_prompts() {
        assert_eq!(Task::of("Summarise this:"), None);
        for (task, input) in [
            (Task::Headline, "Generate a headline for the following article: "),
            (Task::MovieTag, "Which tag does this movie relate to? description: no list"),
            (Task::MovieTag, "Which tag does this movie relate to? tags: [one] description: a list of one"),
            (Task::ProductRating, "What is the score of the following review? review: no scale"),
            (Task::ProductRating, "What is the score of the following review on a scale of 5 to 1? review: x"),
            (
                Task::Citation,
                "For an author who has written the paper with the title \"T\", which reference is related?",
            ),
        ] {
            assert_eq!(task.prompt(input), None, "{input}");
        }
    }

    #[test]
    fn tasks_are_asked_for_by_number() {
        for (text, names) in
            [("1", "LaMP_1"), ("2", "LaMP_2M LaMP_2N"), ("2n", "LaMP_2N"), ("LaMP-3", "LaMP_3"), ("lamp_7", "LaMP_7")]
        {
            let wanted: Wanted = text.parse().unwrap();
            let allowed: Vec<&str> =
                Task::ALL.into_iter().filter(|task| wanted.allows(*task)).map(Task::name).collect();
            assert_eq!(allowed.join(" "), names, "{text}");
        }
        for text in ["", "0", "8", "2X", "rating"] {
            assert!(text.parse::<Wanted>().is_err(), "{text}");
        }
    }
}
