//! Columns: what memory keeps about items, one array a property.
//!
//! A column has two parts: a base that never changes, in memory or mapped from a store's file, and a tail in memory for
//! what came later. Readers see one array.

mod map;
mod names;
mod slots;
mod vectors;

use std::collections::HashMap;
use std::ops::{Index, Range};
use std::path::Path;

pub use map::{LAYOUT, Plain, Slab, bytes, give_back};
pub use names::Names;
pub use slots::Slots;
pub use vectors::{Kinds, Place, Rows, Unit, Vectors};

/// Where columns are written to, by name.
pub trait Sink {
    /// Why that failed.
    type Error;

    /// Writes a column.
    fn column<T: Plain>(&mut self, name: &str, values: &[T]) -> Result<(), Self::Error>;

    /// Writes lists as two columns.
    fn lists<T: Plain>(&mut self, name: &str, (ends, values): (&[usize], &[T])) -> Result<(), Self::Error> {
        self.column(&format!("{name}-ends"), ends)?;
        self.column(name, values)
    }
}

/// Where columns are read from, by name.
pub trait Source {
    /// Why that failed.
    type Error;

    /// A column as it was written.
    fn column<T: Plain>(&self, name: &str) -> Result<Slab<T>, Self::Error>;

    /// Where columns are files by their names, for who maps them by other means.
    fn folder(&self) -> &Path;

    /// Lists as they were written.
    fn lists<T: Plain>(&self, name: &str) -> Result<Lists<T>, Self::Error> {
        Ok(Lists::new(self.column(&format!("{name}-ends"))?, self.column(name)?))
    }

    /// Texts as they were written.
    fn strings(&self, name: &str) -> Result<Strings, Self::Error> {
        Ok(Strings(self.lists(name)?))
    }
}

/// One value an item.
pub struct Column<T: Plain> {
    base: Slab<T>,
    tail: Vec<T>,
}

impl<T: Plain> Column<T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.base.len() + self.tail.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a value.
    pub fn push(&mut self, value: T) {
        self.tail.push(value);
    }

    /// All values in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.base.iter().chain(&self.tail)
    }

    /// The first value.
    pub fn first(&self) -> Option<&T> {
        self.base.first().or_else(|| self.tail.first())
    }

    /// The last value.
    pub fn last(&self) -> Option<&T> {
        self.tail.last().or_else(|| self.base.last())
    }

    /// How many leading values satisfy `holds`, which must not hold again once it has failed.
    pub fn partition_point(&self, mut holds: impl FnMut(&T) -> bool) -> usize {
        match self.base.last() {
            Some(last) if !holds(last) => self.base.partition_point(holds),
            _ => self.base.len() + self.tail.partition_point(holds),
        }
    }

    /// The values that do not change any more.
    pub fn base(&self) -> &[T] {
        &self.base
    }

    /// Makes all values the base, if there is none yet.
    pub fn settle(&mut self) {
        if self.base.is_empty() {
            self.tail.shrink_to_fit();
            self.base = std::mem::take(&mut self.tail).into();
        }
    }

    /// Values of `range`, which must not reach from the base into the tail.
    #[inline]
    pub(super) fn within(&self, range: Range<usize>) -> &[T] {
        match range.start.checked_sub(self.base.len()) {
            Some(start) => &self.tail[start..range.end - self.base.len()],
            None => &self.base[range],
        }
    }
}

impl<T: Plain> From<Slab<T>> for Column<T> {
    fn from(base: Slab<T>) -> Self {
        Self { base, tail: Vec::new() }
    }
}

impl<T: Plain> From<Vec<T>> for Column<T> {
    fn from(values: Vec<T>) -> Self {
        Slab::from(values).into()
    }
}

impl<T: Plain> Default for Column<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T: Plain> Index<usize> for Column<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        match index.checked_sub(self.base.len()) {
            Some(index) => &self.tail[index],
            None => &self.base[index],
        }
    }
}

/// Many lists, laid end to end.
pub struct Lists<T: Plain> {
    /// Where each list ends.
    ends: Column<usize>,
    values: Column<T>,
}

impl<T: Plain> Lists<T> {
    /// Lists that end at `ends` in `values`.
    pub fn new(ends: Slab<usize>, values: Slab<T>) -> Self {
        Self { ends: ends.into(), values: values.into() }
    }

    /// Number of lists.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no list.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where a list lies among all values.
    #[inline]
    pub fn range(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start..self.ends[index]
    }

    /// Adds a list.
    pub fn push(&mut self, list: &[T]) {
        self.values.tail.extend_from_slice(list);
        self.ends.push(self.values.len());
    }

    /// All lists in order.
    pub fn iter(&self) -> impl Iterator<Item = &[T]> {
        (0..self.len()).map(|index| &self[index])
    }

    /// Ends and values of the lists that do not change any more.
    pub fn base(&self) -> (&[usize], &[T]) {
        (self.ends.base(), self.values.base())
    }

    /// Makes all lists the base, if there is none yet.
    pub fn settle(&mut self) {
        self.ends.settle();
        self.values.settle();
    }

    /// Puts empty lists in, so that list `i` becomes list `places[i]` of `count`.
    fn spread(&mut self, places: &[usize], count: usize) {
        let mut ends = Vec::with_capacity(count);
        for (old, place) in places.iter().enumerate() {
            let before = ends.last().copied().unwrap_or(0);
            ends.resize(*place, before);
            ends.push(self.ends[old]);
        }
        ends.resize(count, ends.last().copied().unwrap_or(0));
        self.ends = ends.into();
    }
}

impl<T: Plain> Default for Lists<T> {
    fn default() -> Self {
        Self { ends: Column::default(), values: Column::default() }
    }
}

impl<T: Plain> Index<usize> for Lists<T> {
    type Output = [T];

    #[inline]
    fn index(&self, index: usize) -> &[T] {
        // A list lies in the base or in the tail as a whole, since only whole lists are added.
        self.values.within(self.range(index))
    }
}

/// A text an item.
#[derive(Default)]
pub struct Strings(Lists<u8>);

impl Strings {
    /// Texts that end at `ends` in `bytes`.
    pub fn new(ends: Slab<usize>, bytes: Slab<u8>) -> Self {
        Self(Lists::new(ends, bytes))
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a text.
    pub fn push(&mut self, text: &str) {
        self.0.push(text.as_bytes());
    }

    /// All texts in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| &self[index])
    }

    /// Ends and bytes of the texts that do not change any more.
    pub fn base(&self) -> (&[usize], &[u8]) {
        self.0.base()
    }

    /// Makes all texts the base, if there is none yet.
    pub fn settle(&mut self) {
        self.0.settle();
    }
}

impl<S: AsRef<str>> FromIterator<S> for Strings {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let (mut ends, mut bytes) = (Vec::new(), Vec::new());
        for text in texts {
            bytes.extend_from_slice(text.as_ref().as_bytes());
            ends.push(bytes.len());
        }
        Self::new(ends.into(), bytes.into())
    }
}

impl Index<usize> for Strings {
    type Output = str;

    fn index(&self, index: usize) -> &str {
        // Written from texts, and a file is verified before it is mapped.
        std::str::from_utf8(&self.0[index]).unwrap_or_default()
    }
}

/// Lists that grow: a base, and a copy of each list that has grown since.
pub struct Grouped {
    base: Lists<usize>,
    grown: HashMap<usize, Vec<usize>>,
}

impl Grouped {
    /// Starts from lists.
    pub fn new(base: Lists<usize>) -> Self {
        Self { base, grown: HashMap::new() }
    }

    /// Puts `value` to the end of a list.
    pub fn push(&mut self, list: usize, value: usize) {
        let base = &self.base;
        self.grown.entry(list).or_insert_with(|| base[list].to_vec()).push(value);
    }

    /// All lists in order.
    pub fn iter(&self) -> impl Iterator<Item = &[usize]> {
        (0..self.base.len()).map(|list| &self[list])
    }

    /// Puts empty lists in, so that list `i` becomes list `places[i]` of `count`.
    pub fn spread(&mut self, places: &[usize], count: usize) {
        self.base.spread(places, count);
        self.grown = self.grown.drain().map(|(list, values)| (places[list], values)).collect();
    }

    /// Ends and values of the lists as they were at first.
    pub fn base(&self) -> (&[usize], &[usize]) {
        self.base.base()
    }
}

impl Index<usize> for Grouped {
    type Output = [usize];

    fn index(&self, list: usize) -> &[usize] {
        self.grown.get(&list).map_or_else(|| &self.base[list], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn base_and_tail_read_as_one(base in proptest::collection::vec(0..50usize, 0..20), tail in proptest::collection::vec(0..50usize, 0..20), at in 0..60usize) {
            let mut all = [base.clone(), tail.clone()].concat();
            all.sort_unstable();
            let mut column = Column::from(all[..base.len()].to_vec());
            all[base.len()..].iter().for_each(|value| column.push(*value));
            prop_assert_eq!(column.iter().copied().collect::<Vec<_>>(), all.clone());
            prop_assert!((0..all.len()).all(|ix| column[ix] == all[ix]));
            prop_assert_eq!((column.first(), column.last()), (all.first(), all.last()));
            prop_assert_eq!(column.partition_point(|value| *value < at), all.partition_point(|value| *value < at));
        }

        #[test]
        fn lists_grow_and_make_room(sizes in proptest::collection::vec(0..4usize, 1..8), grown in proptest::collection::vec(0..8usize, 0..8), gaps in proptest::collection::vec(0..3usize, 8)) {
            let mut lists: Vec<Vec<usize>> = sizes.iter().enumerate().map(|(list, size)| vec![list; *size]).collect();
            let ends: Vec<usize> = sizes.iter().scan(0, |end, size| { *end += size; Some(*end) }).collect();
            let mut grouped = Grouped::new(Lists::new(ends.into(), lists.concat().into()));
            for (value, list) in grown.iter().enumerate() {
                let list = list % lists.len();
                lists[list].push(value);
                grouped.push(list, value);
            }
            let places: Vec<usize> = gaps[..lists.len()].iter().enumerate().scan(0, |shift, (list, gap)| { *shift += gap; Some(list + *shift) }).collect();
            let count = places.last().unwrap() + 1 + gaps[7];
            let mut expected = vec![Vec::new(); count];
            places.iter().zip(lists).for_each(|(place, list)| expected[*place] = list);
            grouped.spread(&places, count);
            prop_assert_eq!(grouped.iter().map(<[usize]>::to_vec).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn texts_keep_their_bytes() {
        let mut texts: Strings = ["", "Łódź"].into_iter().collect();
        texts.push("");
        texts.push("tide");
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["", "Łódź", "", "tide"]);
    }
}
