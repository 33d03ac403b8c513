//! What a sweep answers to whoever started it.

/// What came of one task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Came {
    /// Nothing is wrong.
    Well,
    /// A promise was broken.
    Broken,
    /// Something else went wrong, or was not decided: it says nothing about promises.
    Unclear,
    /// This machine, or this program, does not allow it.
    NotHere,
    /// It was ended early.
    Interrupted,
}

/// What a sweep was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Whether promises hold.
    Promises,
    /// Whether a fault shows.
    Fault,
    /// Whether each of all faults shows.
    AllFaults,
}

const YES: u8 = 0;
const NO: u8 = 1;
const NOT_TRIED: u8 = 2;

/// The exit code. A fault counts as found when a promise was broken, not when something else went wrong.
pub fn code(asked: Asked, came: &[Came]) -> u8 {
    let any = |kinds: &[Came]| came.iter().any(|c| kinds.contains(c));
    let skipped = |kinds: &[Came]| came.iter().all(|c| *c == Came::NotHere) || any(kinds);
    match asked {
        Asked::Promises if any(&[Came::Broken, Came::Unclear]) => NO,
        Asked::Promises if skipped(&[Came::Interrupted]) => NOT_TRIED,
        Asked::Fault if any(&[Came::Broken]) => NO,
        Asked::Fault if skipped(&[Came::Unclear, Came::NotHere, Came::Interrupted]) => NOT_TRIED,
        Asked::AllFaults if any(&[Came::Well, Came::Unclear]) => NO,
        Asked::AllFaults if skipped(&[Came::NotHere, Came::Interrupted]) => NOT_TRIED,
        _ => YES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Asked::*;
    use Came::*;

    #[test]
    fn promises_hold_only_where_they_were_tried() {
        assert_eq!(code(Promises, &[Well, Well]), 0);
        assert_eq!(code(Promises, &[Well, NotHere]), 0);
        assert_eq!(code(Promises, &[NotHere, NotHere]), 2);
        assert_eq!(code(Promises, &[]), 2);
        assert_eq!(code(Promises, &[Well, Interrupted]), 2);
        assert_eq!(code(Promises, &[Broken, Interrupted]), 1);
        assert_eq!(code(Promises, &[Well, Unclear]), 1);
    }

    #[test]
    fn a_fault_is_found_by_a_broken_promise_alone() {
        assert_eq!(code(Fault, &[Broken]), 1);
        assert_eq!(code(Fault, &[Well]), 0);
        assert_eq!(code(Fault, &[Unclear]), 2);
        assert_eq!(code(Fault, &[NotHere, Well]), 2);
        assert_eq!(code(AllFaults, &[Broken, Broken]), 0);
        assert_eq!(code(AllFaults, &[Broken, Unclear]), 1);
        assert_eq!(code(AllFaults, &[Broken, Well]), 1);
        assert_eq!(code(AllFaults, &[Broken, NotHere]), 2);
        assert_eq!(code(AllFaults, &[Broken, Interrupted]), 2);
        assert_eq!(code(AllFaults, &[]), 2);
    }
}
