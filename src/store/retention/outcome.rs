//! What one slice of a retention job did.

/// Rows, or files' worth of them, that left in one slice, and whether there are more that should.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct StepOutcome {
    /// How many rows left; of a file that left as a whole, the rows that were in it.
    pub(in crate::store) removed: u64,
    /// There is more to do: the job's next slice comes after the next batch.
    pub(in crate::store) more: bool,
}

impl StepOutcome {
    /// The job has nothing left to do until its next run.
    pub(in crate::store) fn last(removed: u64) -> Self {
        Self {
            removed,
            more: false,
        }
    }

    /// The job goes on after the next batch.
    pub(in crate::store) fn more(removed: u64) -> Self {
        Self {
            removed,
            more: true,
        }
    }
}
