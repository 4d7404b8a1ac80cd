//! How much memory the process has.

/// The memory of the process that is in RAM, in bytes. `None` where the system does not say: elsewhere than on Linux.
///
/// From `status`, which counts in kilobytes: `statm` counts in pages, whose size differs.
pub(super) fn resident() -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    parse(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let size = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = size.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kilobytes_of_the_line_are_bytes_and_anything_else_is_none() {
        let status = "Name:\tfanfare\nVmPeak:\t  9 kB\nVmRSS:\t    1234 kB\nRssAnon:\t  7 kB\n";
        assert_eq!(parse(status), Some(1_234 * 1_024));
        for other in ["", "VmRSS:\t12 MB\n", "VmRSS:\t-1 kB\n", "VmRSS: kB"] {
            assert_eq!(parse(other), None, "{other}");
        }
        assert_eq!(resident().is_some(), cfg!(target_os = "linux"));
    }
}
