//! CPUs in the kernel's list format, such as `0-3,8` (Linux, `Documentation/admin-guide/kernel-parameters`).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A set of CPUs, kept as ascending runs that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CpuList(Arc<[Run]>);

/// CPUs `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Run {
    first: u32,
    last: u32,
}

/// Text that is not in the kernel's list format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a list of CPUs such as `0-3,8`: {reason}")]
pub struct CpuListError {
    text: String,
    reason: &'static str,
}

impl CpuList {
    /// How many CPUs there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|run| run.count()).fold(0, u64::saturating_add)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|run| run.first..=run.last)
    }

    /// The highest.
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|run| run.last)
    }

    fn from_runs(mut runs: Vec<Run>) -> Self {
        runs.sort_unstable();
        let mut joined: Vec<Run> = Vec::with_capacity(runs.len());
        for run in runs {
            match joined.last_mut() {
                Some(before) if run.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(run.last);
                }
                _ => joined.push(run),
            }
        }
        Self(joined.into())
    }
}

impl FromIterator<u32> for CpuList {
    fn from_iter<T: IntoIterator<Item = u32>>(cpus: T) -> Self {
        Self::from_runs(cpus.into_iter().map(|cpu| Run { first: cpu, last: cpu }).collect())
    }
}

impl Run {
    fn count(self) -> u64 {
        u64::from(self.last).saturating_sub(u64::from(self.first)).saturating_add(1)
    }
}

impl FromStr for Run {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let run = Self { first: parse_cpu(first)?, last: parse_cpu(last)? };
        if run.first > run.last { Err("a range runs backwards") } else { Ok(run) }
    }
}

fn parse_cpu(text: &str) -> Result<u32, &'static str> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a CPU is a whole number");
    }
    text.parse().map_err(|_| "a CPU number is too large")
}

impl FromStr for CpuList {
    type Err = CpuListError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let runs: Result<Vec<Run>, _> = text.split(',').map(str::parse).collect();
        runs.map(Self::from_runs).map_err(|reason| CpuListError { text: text.to_owned(), reason })
    }
}

impl fmt::Display for CpuList {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, run) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            match run {
                Run { first, last } if first == last => write!(out, "{comma}{first}")?,
                Run { first, last } => write!(out, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::CpuList;

    fn written(text: &str) -> String {
        text.parse::<CpuList>().unwrap().to_string()
    }

    #[test]
    fn lists_are_written_as_the_kernel_writes_them() {
        for (given, expected) in [
            ("", ""),
            ("0", "0"),
            ("0-3,8", "0-3,8"),
            ("8,0-3", "0-3,8"),
            ("0,1,2,4", "0-2,4"),
            ("0-5,2-3,6", "0-6"),
            ("4294967295", "4294967295"),
            ("0-4294967295,7", "0-4294967295"),
        ] {
            assert_eq!(written(given), expected, "{given}");
        }
    }

    #[test]
    fn the_count_is_that_of_the_set() {
        for (text, count) in [("", 0), ("0-3,8", 5), ("1,1,1-2", 2), ("0-4294967295", 1 << 32)] {
            assert_eq!(text.parse::<CpuList>().unwrap().count(), count, "{text}");
        }
    }

    #[test]
    fn other_text_is_refused_with_a_reason() {
        for text in [",", "0,", "3-1", "-1", "1-", "a", "0x1", "+1", " 1", "4294967296", "1-2-3"] {
            let refused = text.parse::<CpuList>().unwrap_err();
            assert!(refused.to_string().contains(text), "{refused}");
        }
    }
}
