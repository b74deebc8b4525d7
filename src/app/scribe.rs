//! The scribe: a thread that writes live use into a session file, an event a line, synced as it happens.
//!
//! Invariants: no file is ever overwritten; the caller never waits, except at the end, for what is still to be written;
//! an event that cannot be written is kept for the session it belongs to, in order, and tried again with the next one, of
//! whatever session, and at the end; a failure is told once, until writing works again.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::message::Message;
use super::state::Data;
use crate::engine::model::Located;
use crate::session::event::{Event, Header};
use crate::session::log::{Tape, identity};
use crate::session::{Recorder, Session, SessionError};

/// Sessions of one dataset that a folder holds at most.
const MOST: usize = 1_000_000;

/// What a session begins with. Hashes are filled in by the scribe: they take time.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The first line, without hashes.
    pub header: Header,
    /// The dataset.
    pub data: Arc<Data>,
    /// Where the model is.
    pub model: Option<Located>,
}

impl PartialEq for Beginning {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header && Arc::ptr_eq(&self.data, &other.data) && self.model == other.model
    }
}

enum Request {
    Begin(Box<Beginning>),
    Write(Vec<Event>),
    Fork(Box<Session>),
    EndFork,
    Keep(u64, Box<Session>),
}

/// The handle to the scribe.
#[derive(Debug)]
pub struct Scribe {
    requests: Sender<Request>,
    work: JoinHandle<Ending>,
}

/// What has become of a session when the workbench ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was to be written.
    Nothing,
    /// All of it is in these files: of live use, and of a fork that was not left.
    Written(Vec<PathBuf>),
    /// Some of it, or of a session before it, is in no file.
    Unwritten {
        /// So many events.
        events: usize,
        /// Why, with the place.
        reason: String,
    },
}

impl Scribe {
    /// Starts it. Files go to `folder`, which is made when the first one is.
    pub fn start(folder: PathBuf, out: Sender<Message>) -> io::Result<Self> {
        let (requests, inbox) = mpsc::channel();
        let work = move || Book::new(move |begun: &Session| create(&folder, begun)).write(&inbox, &out);
        let work = thread::Builder::new().name("scribe".to_owned()).spawn(work)?;
        Ok(Self { requests, work })
    }

    /// Begins a session.
    pub fn begin(&self, beginning: Beginning) {
        // A scribe that has ended has told so already.
        let _ = self.requests.send(Request::Begin(Box::new(beginning)));
    }

    /// Appends events.
    pub fn write(&self, events: Vec<Event>) {
        let _ = self.requests.send(Request::Write(events));
    }

    /// Begins a file for a fork, with what it shares; what is appended goes there until [`Scribe::end_fork`].
    pub fn fork(&self, session: Session) {
        let _ = self.requests.send(Request::Fork(Box::new(session)));
    }

    /// Goes on with the session before.
    pub fn end_fork(&self) {
        let _ = self.requests.send(Request::EndFork);
    }

    /// Writes a session that was made into a file of its own, and tells of it under `number`.
    pub fn keep(&self, number: u64, session: Session) {
        let _ = self.requests.send(Request::Keep(number, Box::new(session)));
    }

    /// Waits until everything is written, or has been tried once more.
    pub fn finish(self) -> Ending {
        drop(self.requests);
        let died = |_| Ending::Unwritten { events: 0, reason: "the thread that writes it has died".to_owned() };
        self.work.join().unwrap_or_else(died)
    }
}

/// How far a session's file is.
enum Page<T> {
    /// Nothing is to be written.
    Blank,
    /// A session has begun; its hashes are not known yet.
    Begun(Beginning),
    /// What its file begins with is complete, and not written.
    Titled(Session),
    /// The file is there.
    Open(Recorder<T>),
}

/// A session on its way to its file.
struct Leaf<T> {
    page: Page<T>,
    /// What is not written yet, oldest first.
    waiting: VecDeque<Event>,
    /// Why not, if that has been tried.
    failed: Option<String>,
}

impl<T: Tape> Leaf<T> {
    fn of(page: Page<T>) -> Self {
        Self { page, waiting: VecDeque::new(), failed: None }
    }

    /// Events that are in no file.
    fn unwritten(&self) -> usize {
        let begun = match &self.page {
            Page::Titled(begun) => begun.events.len(),
            Page::Blank | Page::Begun(_) | Page::Open(_) => 0,
        };
        begun + self.waiting.len()
    }

    /// The file, once it is there.
    fn path(&self) -> Option<&Path> {
        match &self.page {
            Page::Open(recorder) => Some(recorder.path()),
            Page::Blank | Page::Begun(_) | Page::Titled(_) => None,
        }
    }

    /// Writes what waits, as far as that goes.
    fn attempt(&mut self, create: &mut impl FnMut(&Session) -> Result<Recorder<T>, SessionError>) {
        self.failed = self.advance(create).err().map(|error| error.to_string());
    }

    fn advance(
        &mut self,
        create: &mut impl FnMut(&Session) -> Result<Recorder<T>, SessionError>,
    ) -> Result<(), SessionError> {
        if let Page::Begun(beginning) = &self.page {
            self.page = Page::Titled(Session::new(titled(beginning)?, Vec::new()));
        }
        if let Page::Titled(begun) = &self.page {
            self.page = Page::Open(create(begun)?);
        }
        let Page::Open(recorder) = &mut self.page else { return Ok(()) };
        while let Some(event) = self.waiting.front() {
            recorder.append(event)?;
            self.waiting.pop_front();
        }
        Ok(())
    }
}

/// What is written, into files that `create` makes with what a session begins with.
struct Book<T, F> {
    create: F,
    /// The session that events are of now.
    leaf: Leaf<T>,
    /// The one that waits while a fork is written.
    home: Option<Leaf<T>>,
    /// Those that are over and not all in their file, oldest first.
    over: Vec<Leaf<T>>,
    /// The session last asked for that could not be kept: its events, and why. Whoever has quit meanwhile hears it at the end.
    unkept: Option<(usize, String)>,
}

impl<T: Tape, F: FnMut(&Session) -> Result<Recorder<T>, SessionError>> Book<T, F> {
    fn new(create: F) -> Self {
        Self { create, leaf: Leaf::of(Page::Blank), home: None, over: Vec::new(), unkept: None }
    }

    fn write(mut self, inbox: &Receiver<Request>, out: &Sender<Message>) -> Ending {
        for request in inbox {
            match request {
                Request::Begin(beginning) => {
                    self.return_home();
                    self.turn_to(Leaf::of(Page::Begun(*beginning)));
                }
                Request::Write(events) => self.leaf.waiting.extend(events),
                Request::Fork(session) => {
                    self.return_home();
                    let fork = Leaf::of(Page::Titled(*session));
                    self.home = Some(std::mem::replace(&mut self.leaf, fork));
                }
                Request::EndFork => self.return_home(),
                Request::Keep(number, session) => {
                    let kept = (self.create)(&session).map(|recorder| recorder.path().to_owned());
                    let kept = kept.map_err(|error| error.to_string());
                    self.unkept = kept.clone().err().map(|reason| (session.events.len(), reason));
                    let _ = out.send(Message::SessionKept { number, kept });
                    continue;
                }
            }
            self.attempt(out);
        }
        let fork = self.home.as_ref().and_then(|_| self.leaf.path().map(Path::to_owned));
        self.return_home();
        self.attempt(out);
        let leaves = || self.over.iter().chain([&self.leaf]);
        let (unkept, told) = self.unkept.take().unzip();
        let events = leaves().map(Leaf::unwritten).sum::<usize>() + unkept.unwrap_or(0);
        if let Some(reason) = leaves().find_map(|leaf| leaf.failed.clone()).or(told) {
            return Ending::Unwritten { events, reason };
        }
        let files: Vec<PathBuf> = self.leaf.path().map(Path::to_owned).into_iter().chain(fork).collect();
        if files.is_empty() { Ending::Nothing } else { Ending::Written(files) }
    }

    /// Goes back to the session that waits, if one does.
    fn return_home(&mut self) {
        if let Some(home) = self.home.take() {
            self.turn_to(home);
        }
    }

    /// Events are of another session from here on. What of the one before is unwritten goes on being tried.
    fn turn_to(&mut self, leaf: Leaf<T>) {
        let last = std::mem::replace(&mut self.leaf, leaf);
        self.over.extend((last.unwritten() > 0).then_some(last));
    }

    /// Writes what waits, and tells what is new about that: the first failure, and that it works (again).
    fn attempt(&mut self, out: &Sender<Message>) {
        let Self { create, leaf, over, .. } = self;
        over.retain_mut(|leaf| {
            leaf.attempt(create);
            leaf.failed.is_some()
        });
        let (open, failed) = (leaf.path().is_some(), leaf.failed.is_some());
        leaf.attempt(create);
        let news = match (&leaf.failed, leaf.path()) {
            (Some(reason), _) if !failed => Message::RecordFailed(reason.clone()),
            (None, Some(path)) if failed || !open => Message::Recording(path.to_owned()),
            _ => return,
        };
        let _ = out.send(news);
    }
}

/// The first line with its hashes.
fn titled(beginning: &Beginning) -> Result<Header, SessionError> {
    let mut header = beginning.header.clone();
    header.dataset.hash = beginning.data.content_hash()?;
    if let (Some(id), Some(place)) = (&mut header.model, &beginning.model) {
        id.hash = identity(place).map_err(|source| SessionError::Read { path: place.told().into(), source })?;
    }
    Ok(header)
}

/// Starts a file under the first free number of its dataset, with all that the session holds so far or not at all.
fn create(folder: &Path, begun: &Session) -> Result<Recorder<File>, SessionError> {
    let failed = |source| SessionError::Record { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    let name = plain(&begun.header.dataset.name);
    let bytes = begun.to_bytes().map_err(failed)?;
    for number in 1..MOST {
        let path = folder.join(format!("{name}-{number:03}.jsonl"));
        match Recorder::holding(&path, &bytes) {
            Err(SessionError::Record { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created,
        }
    }
    Err(failed(io::Error::other("there are too many sessions in it")))
}

/// A part of a file's name: the name of a dataset is anything its author likes, that of a file is not.
pub(super) fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    name.chars().take(64).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::rc::Rc;

    use super::*;
    use crate::data::sample;
    use crate::mediator::{Policy, Weights};
    use crate::session::event::{DatasetId, FORMAT, Setting};

    /// A disk in memory with room for so many bytes, which may also refuse to take back what it took.
    #[derive(Default)]
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
        stuck: bool,
    }

    #[derive(Clone, Default)]
    struct Reel(Rc<RefCell<Disk>>);

    impl Write for Reel {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.0.borrow_mut();
            let taken = bytes.len().min(disk.room.saturating_sub(disk.bytes.len()));
            disk.bytes.extend_from_slice(&bytes[..taken]);
            if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Tape for Reel {
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn cut(&mut self, length: u64) -> io::Result<()> {
            let mut disk = self.0.borrow_mut();
            if disk.stuck {
                return Err(io::ErrorKind::Other.into());
            }
            disk.bytes.truncate(length as usize);
            Ok(())
        }
    }

    fn beginning() -> Beginning {
        let dataset = sample::dataset().unwrap();
        let policy = Policy::Product;
        let header = Header {
            format: FORMAT,
            program: "test".to_owned(),
            title: "live use".to_owned(),
            dataset: DatasetId { name: "film-tags".to_owned(), hash: String::new(), without: Vec::new() },
            model: None,
            device: None,
            setting: Setting { weights: Weights::defaults(policy, &dataset.manifest), policy },
            embedder: "hash".to_owned(),
            seed: 0,
            labels: dataset.manifest.responses(),
            picked: false,
            origin: None,
        };
        Beginning { header, data: Arc::new(Data::of(dataset)), model: None }
    }

    fn note(text: &str) -> Event {
        Event::Note { text: text.to_owned() }
    }

    fn told(inbox: &Receiver<Message>) -> Vec<String> {
        let short = |message| match message {
            Message::Recording(path) => format!("in {}", path.display()),
            Message::RecordFailed(reason) => format!("failed {reason}"),
            other => format!("{other:?}"),
        };
        inbox.try_iter().map(short).collect()
    }

    #[test]
    fn what_a_full_disk_refuses_is_written_when_it_has_room() {
        let reel = Reel::default();
        let (out, inbox) = mpsc::channel();
        let tape = reel.clone();
        let mut book = Book::new(|begun: &Session| Recorder::on(tape.clone(), Path::new("reel"), &begun.header));
        book.leaf = Leaf::of(Page::Begun(beginning()));
        let mut write = |text: &str| {
            book.leaf.waiting.push_back(note(text));
            book.attempt(&out);
        };
        write("one");
        assert!(told(&inbox)[0].starts_with("failed reel: cannot be written"), "no room for the first line");
        let set = |room, stuck| {
            let mut disk = reel.0.borrow_mut();
            (disk.room, disk.stuck) = (room, stuck);
        };
        set(usize::MAX, false);
        write("two");
        assert_eq!(told(&inbox), ["in reel"]);
        // Room for half a line, which cannot be taken back at once.
        let whole = reel.0.borrow().bytes.len();
        set(whole + 9, true);
        write("three");
        assert_eq!(reel.0.borrow().bytes.len(), whole + 9, "torn");
        write("four");
        assert_eq!(told(&inbox).len(), 1, "told once");
        set(usize::MAX, false);
        write("five");
        assert_eq!(told(&inbox), ["in reel"], "and when it works again");
        let session = Session::parse(Path::new("reel"), &reel.0.borrow().bytes).unwrap();
        let events: Vec<Event> = session.events.iter().map(|event| event.as_ref().clone()).collect();
        assert_eq!(events, ["one", "two", "three", "four", "five"].map(note));
        assert!(session.cut.is_none() && !session.header.dataset.hash.is_empty());
    }

    /// What a book writes that refuses the first files called `refused`, so often; by title, and its ending.
    fn written_by(
        requests: Vec<Request>,
        refused: &str,
        mut refusals: usize,
    ) -> (BTreeMap<String, Vec<Event>>, Ending) {
        let mut reels: BTreeMap<String, Reel> = BTreeMap::new();
        let create = |begun: &Session| {
            let title = &begun.header.title;
            let path = Path::new(title);
            if title == refused && refusals > 0 {
                refusals -= 1;
                return Err(SessionError::Record { path: path.to_owned(), source: io::ErrorKind::StorageFull.into() });
            }
            let reel = reels.entry(title.clone()).or_default();
            reel.0.borrow_mut().room = usize::MAX;
            let mut recorder = Recorder::on(reel.clone(), path, &begun.header)?;
            begun.events.iter().try_for_each(|event| recorder.append(event))?;
            Ok(recorder)
        };
        let (requested, inbox) = mpsc::channel();
        requests.into_iter().for_each(|request| requested.send(request).unwrap());
        drop(requested);
        let ending = Book::new(create).write(&inbox, &mpsc::channel().0);
        let events = |reel: &Reel| {
            let session = Session::parse(Path::new("reel"), &reel.0.borrow().bytes).unwrap();
            session.events.iter().map(|event| event.as_ref().clone()).collect()
        };
        (reels.iter().map(|(title, reel)| (title.clone(), events(reel))).collect(), ending)
    }

    fn begun(title: &str) -> Request {
        let mut beginning = beginning();
        beginning.header.title = title.to_owned();
        Request::Begin(Box::new(beginning))
    }

    /// They went into the file of the next one, or nowhere.
    #[test]
    fn what_a_session_could_not_write_goes_into_its_own_file_when_another_has_begun() {
        let one = |text: &str| Request::Write(vec![note(text)]);
        let next = || vec![begun("a"), one("one"), begun("b"), one("two")];
        let (files, ending) = written_by(next(), "a", 2);
        assert_eq!((&files["a"][..], &files["b"][..]), (&[note("one")][..], &[note("two")][..]));
        assert_eq!(ending, Ending::Written(vec!["b".into()]));
        let (files, ending) = written_by(next(), "a", usize::MAX);
        assert_eq!((files.len(), &files["b"][..]), (1, &[note("two")][..]));
        assert!(matches!(ending, Ending::Unwritten { events: 1, .. }), "{ending:?}");

        let forks = || {
            let Request::Begin(beginning) = begun("fork") else { unreachable!() };
            let fork = Request::Fork(Box::new(Session::new(beginning.header, vec![note("shared")])));
            vec![begun("a"), one("one"), fork, one("two"), Request::EndFork, one("three")]
        };
        let (files, ending) = written_by(forks(), "fork", 2);
        assert_eq!(files["fork"], ["shared", "two"].map(note));
        assert_eq!(files["a"], ["one", "three"].map(note));
        assert_eq!(ending, Ending::Written(vec!["a".into()]));
        let (files, ending) = written_by(forks(), "fork", usize::MAX);
        assert_eq!((files.len(), &files["a"][..]), (1, &["one", "three"].map(note)[..]));
        assert!(matches!(ending, Ending::Unwritten { events: 2, .. }), "{ending:?}");

        // Somebody quits without leaving the fork: both are told of.
        let mut within = forks();
        within.truncate(4);
        let (_, ending) = written_by(within, "nothing", 0);
        assert_eq!(ending, Ending::Written(vec!["a".into(), "fork".into()]));
    }

    #[test]
    fn a_session_gets_the_first_free_number_and_overwrites_none() {
        let home = tempfile::tempdir().unwrap();
        let taken = |number: usize| home.path().join(format!("film-tags-{number:03}.jsonl"));
        for number in [1, 2, 4] {
            fs::write(taken(number), "somebody else's").unwrap();
        }
        let begun = Session::new(beginning().header, vec![note("one"), note("two")]);
        for number in [3, 5] {
            let mut recorder = create(home.path(), &begun).unwrap();
            assert_eq!(recorder.path(), taken(number));
            assert_eq!(fs::read(taken(number)).unwrap(), begun.to_bytes().unwrap());
            recorder.append(&note("three")).unwrap();
            assert_eq!(Session::open(&taken(number)).unwrap().events.len(), 3);
        }
        assert!([1, 2, 4].iter().all(|number| fs::read(taken(*number)).unwrap() == b"somebody else's"));
    }

    #[test]
    fn the_end_tries_once_more_and_says_what_is_in_no_file() {
        for comes_back in [true, false] {
            let home = tempfile::tempdir().unwrap();
            let folder = home.path().join("sessions");
            std::fs::write(&folder, "in the way").unwrap();
            let (out, inbox) = mpsc::channel();
            let scribe = Scribe::start(folder.clone(), out).unwrap();
            scribe.begin(beginning());
            assert!(matches!(inbox.recv().unwrap(), Message::RecordFailed(_)));
            if comes_back {
                std::fs::remove_file(&folder).unwrap();
            }
            scribe.write(vec![note("one"), note("two")]);
            match scribe.finish() {
                Ending::Written(files) => {
                    assert!(comes_back);
                    assert_eq!(files, [folder.join("film-tags-001.jsonl")]);
                    assert_eq!(Session::open(&files[0]).unwrap().events.len(), 2);
                }
                Ending::Unwritten { events, reason } => {
                    assert!(!comes_back && events == 2 && reason.contains("sessions"), "{events} {reason}");
                }
                Ending::Nothing => panic!("something was to be written"),
            }
        }
    }
}
