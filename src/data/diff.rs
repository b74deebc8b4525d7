//! Two texts line by line: which lines they share, in order, and which only one of them has.
//!
//! The longest common subsequence, so that no shorter list of changes exists. Beginnings and ends that agree are set
//! aside first; what remains is quadratic, and where that would be too much it is told as wholly replaced.

/// Cells of the table at most.
const LARGEST: usize = 4_000_000;

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// In both texts.
    Both,
    /// In the first one alone.
    First,
    /// In the second one alone.
    Second,
}

/// The lines of both texts in one order that keeps each text's own; of a change the first text's lines come first.
pub fn lines<'a>(first: &'a str, second: &'a str) -> Vec<(Side, &'a str)> {
    let (a, b): (Vec<&str>, Vec<&str>) = (first.lines().collect(), second.lines().collect());
    let shared = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a_rest, b_rest) = (&a[shared..], &b[shared..]);
    let tail = a_rest.iter().rev().zip(b_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a_mid, b_mid) = (&a_rest[..a_rest.len() - tail], &b_rest[..b_rest.len() - tail]);
    let both = |line: &&'a str| (Side::Both, *line);
    let mut out: Vec<(Side, &str)> = a[..shared].iter().map(both).collect();
    out.extend(middle(a_mid, b_mid));
    out.extend(a_rest[a_rest.len() - tail..].iter().map(both));
    out
}

fn middle<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<(Side, &'a str)> {
    let (n, m) = (a.len(), b.len());
    if n.saturating_mul(m) > LARGEST {
        let first = a.iter().map(|line| (Side::First, *line));
        return first.chain(b.iter().map(|line| (Side::Second, *line))).collect();
    }
    // longest[i][j]: what a[i..] and b[j..] share.
    let width = m + 1;
    let mut longest = vec![0u32; (n + 1) * width];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            longest[i * width + j] = match a[i] == b[j] {
                true => longest[(i + 1) * width + j + 1] + 1,
                false => longest[(i + 1) * width + j].max(longest[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::with_capacity(n + m);
    while i < n || j < m {
        let (down, right) = (i < n, j < m);
        if down && right && a[i] == b[j] {
            out.push((Side::Both, a[i]));
            (i, j) = (i + 1, j + 1);
        } else if down && (!right || longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
            out.push((Side::First, a[i]));
            i += 1;
        } else {
            out.push((Side::Second, b[j]));
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_replaced_line_is_told_once_on_either_side() {
        let told = lines("film\n- a\n- b\ntag:", "film\n- a\n- c\n- d\ntag:");
        let expected = [
            (Side::Both, "film"),
            (Side::Both, "- a"),
            (Side::First, "- b"),
            (Side::Second, "- c"),
            (Side::Second, "- d"),
            (Side::Both, "tag:"),
        ];
        assert_eq!(told, expected);
        assert_eq!(lines("", "a"), [(Side::Second, "a")]);
    }

    proptest! {
        #[test]
        fn each_text_is_its_lines_and_no_shared_line_is_missed(
            first in "([abc]\n){0,8}", second in "([abc]\n){0,8}"
        ) {
            let told = lines(&first, &second);
            let of = |side| told.iter().filter(|(s, _)| *s == Side::Both || *s == side).map(|(_, l)| *l).collect::<Vec<_>>();
            prop_assert_eq!(of(Side::First), first.lines().collect::<Vec<_>>());
            prop_assert_eq!(of(Side::Second), second.lines().collect::<Vec<_>>());
            prop_assert!(lines(&first, &first).iter().all(|(side, _)| *side == Side::Both));
            let back = lines(&second, &first);
            let shared = |told: &[(Side, &str)]| told.iter().filter(|(s, _)| *s == Side::Both).count();
            prop_assert_eq!(shared(&told), shared(&back), "the longest either way");
        }
    }
}
