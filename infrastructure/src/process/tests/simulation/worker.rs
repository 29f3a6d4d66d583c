//! A worker with a desk, the log it reads, and the notes that outlive it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::{Event, Process, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    super::super::{
        Performed, ProcessOptions, Todo,
        desk::{Desk, Note, Noted},
    },
    Dice,
};

/// What a worker wants done.
pub(super) enum Step<P: Process> {
    Carry(Todo<P>),
}

pub(super) struct Worker<P: Process> {
    process: Arc<P>,
    desk: Desk<P>,
    seen: usize,
    head: usize,
    under_way: Vec<Todo<P>>,
    notes: HashMap<Uuid, Note<P::State>>,
    noted: usize,
    /// What is being written down, and how far everything was seen then.
    writing: Option<(Vec<Note<P::State>>, usize)>,
}

fn options() -> ProcessOptions {
    ProcessOptions { horizon: Duration::from_secs(600), ..ProcessOptions::default() }
}

impl<P: Process> Worker<P> {
    pub(super) fn new(process: P, _now: Timestamp, _instant: Instant) -> Self {
        let process = Arc::new(process);
        let desk = Desk::new(Arc::clone(&process), options());
        let (under_way, notes) = (Vec::new(), HashMap::new());
        Self { process, desk, seen: 0, head: 0, under_way, notes, noted: 0, writing: None }
    }

    /// Does one thing of its own; gives a step that is to be carried out now.
    pub(super) fn work(
        &mut self,
        dice: &mut Dice,
        log: &[(Uuid, Event)],
        now: Timestamp,
        instant: Instant,
    ) -> Option<Step<P>> {
        match dice.roll(4) {
            0 => {
                let some = 1 + dice.index(6);
                self.read(log, some, now, instant);
            }
            1 => {
                self.look_far(now, instant);
                for key in self.desk.due(now, instant) {
                    self.desk.look(key, now, instant);
                }
            }
            2 if self.seen >= self.head => self.under_way.extend(self.desk.next()),
            _ => {
                if !self.under_way.is_empty() {
                    let index = dice.index(self.under_way.len());
                    return Some(Step::Carry(self.under_way.swap_remove(index)));
                }
            }
        }
        None
    }

    fn read(&mut self, log: &[(Uuid, Event)], some: usize, now: Timestamp, instant: Instant) {
        let until = (self.seen + some).min(log.len());
        let mut touched = Vec::new();
        for (id, event) in &log[self.seen..until] {
            let Some(key) = P::key(event) else { continue };
            if !self.desk.knows(key) && self.notes.contains_key(&key) {
                assert!(!P::starts(event), "what begins is known already");
                self.lay_out(key);
            }
            self.desk.take_in(key, event, *id);
            touched.push(key);
        }
        self.seen = until;
        for key in touched {
            self.desk.look(key, now, instant);
        }
    }

    fn look_far(&mut self, now: Timestamp, instant: Instant) {
        let until = now + options().horizon;
        let is_due = |due: Option<Timestamp>| due.is_some_and(|due| due <= until);
        let mut due: Vec<_> = self.notes.values().filter(|note| is_due(note.due)).map(|note| note.key).collect();
        due.sort_unstable();
        for key in due.into_iter().filter(|key| !self.desk.knows(*key)).collect::<Vec<_>>() {
            self.lay_out(key);
            self.desk.look_again(key, now, instant);
        }
    }

    fn lay_out(&mut self, key: Uuid) {
        let Note { cause, due, state, .. } = &self.notes[&key];
        let state = state.as_deref().expect("only what there is to remember is noted").clone();
        self.desk.lay_out(Noted { key, cause: *cause, due: *due, state });
    }

    /// Begins to write down what is known, or ends it: meanwhile everything else goes on.
    pub(super) fn note(&mut self, now: Timestamp) {
        match self.writing.take() {
            None => self.writing = Some((self.desk.to_note(), self.seen)),
            Some((notes, seen)) => {
                self.write(&notes, seen);
                self.desk.noted(&notes, now);
            }
        }
    }

    fn write(&mut self, notes: &[Note<P::State>], seen: usize) {
        for note in notes {
            match &note.state {
                Some(_) => drop(self.notes.insert(note.key, note.clone())),
                None if note.is_known => drop(self.notes.remove(&note.key)),
                None => {}
            }
        }
        self.noted = seen;
    }

    pub(super) fn finished(&mut self, todo: &Todo<P>, performed: Performed, now: Timestamp, instant: Instant) {
        self.desk.finished(todo.key, P::step_id(&todo.step), performed, now, instant);
    }

    pub(super) fn under_way(&mut self) -> Vec<Todo<P>> {
        std::mem::take(&mut self.under_way)
    }

    /// Another takes over, with the notes or without. What was being written down may be there.
    pub(super) fn restart(
        &mut self,
        dice: &mut Dice,
        are_notes_lost: bool,
        head: usize,
        now: Timestamp,
        instant: Instant,
    ) {
        if let Some((notes, seen)) = self.writing.take()
            && dice.percent(50)
        {
            self.write(&notes, seen);
        }
        if are_notes_lost {
            self.notes.clear();
            self.noted = 0;
        }
        self.under_way.clear();
        self.desk = Desk::new(Arc::clone(&self.process), options());
        self.seen = self.noted;
        self.head = head;
        self.look_far(now, instant);
    }

    /// Whether it has seen everything and has nothing to do for now.
    pub(super) fn is_idle(&self, head: usize, _now: Timestamp, _instant: Instant) -> bool {
        self.seen == head && self.under_way.is_empty() && self.desk.waiting() == 0
    }

    pub(super) fn assert_nothing_is_stuck(&self) {
        let troubles = self.desk.troubles(usize::MAX);
        assert!(troubles.count == 0, "{troubles:?}");
    }
}
