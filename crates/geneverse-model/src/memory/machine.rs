//! What the machine has, and what the process holds of it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::heap::peak_rss_mib;

/// Memory that the process can take without swapping, as far as the system says: what the machine has left, or less
/// where a control group (a container, a batch system) allows less. Files that can be dropped count as free.
///
/// Known on Linux only.
pub fn available() -> Option<usize> {
    let machine = field(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:").map(|kib| kib << 10)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group_available(Path::new("/sys/fs/cgroup"), &groups);
    Some(group.map_or(machine, |group| group.min(machine)))
}

/// Memory that the process holds; where the system does not say, the most it has held.
pub fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    field(&status, "VmRSS:").map_or((peak_rss_mib() as usize) << 20, |kib| kib << 10)
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<usize> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The files of a control group with its limit, its use, and within the statistics the use that can be dropped.
struct Names {
    limit: &'static str,
    used: &'static str,
    files: [&'static str; 2],
}

const SECOND: Names =
    Names { limit: "memory.max", used: "memory.current", files: ["inactive_file ", "active_file "] };
const FIRST: Names = Names {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    files: ["total_inactive_file ", "total_active_file "],
};

/// The least that the process's control group and those around it leave, where any has a limit.
///
/// `groups` is `/proc/self/cgroup`: lines `0::/path` of version 2, `4:memory:/path` of version 1. In a container the
/// path often is not visible below `root`, whose own files are then the group's.
fn group_available(root: &Path, groups: &str) -> Option<usize> {
    let mut least = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, names) = match controllers {
            "" => (root.to_owned(), &SECOND),
            some if some.split(',').any(|c| c == "memory") => (root.join("memory"), &FIRST),
            _ => continue,
        };
        let own = root.join(path.trim_start_matches('/'));
        for folder in own.ancestors().take_while(|folder| folder.starts_with(&root)) {
            let free = left(folder.to_owned(), names);
            least = [least, free].into_iter().flatten().min();
        }
    }
    least
}

fn left(folder: PathBuf, names: &Names) -> Option<usize> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    // "max" is no number, and no limit.
    let limit: usize = read(names.limit)?.trim().parse().ok()?;
    let used: usize = read(names.used)?.trim().parse().ok()?;
    let statistics = read("memory.stat").unwrap_or_default();
    let files: usize = names.files.iter().filter_map(|name| field(&statistics, name)).sum();
    Some(limit.saturating_sub(used.saturating_sub(files)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_group_leaves_what_its_limit_and_its_use_say() {
        let root = tempfile::tempdir().unwrap();
        let write = |folder: &str, files: &[(&str, &str)]| {
            let folder = root.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        };
        write("", &[("memory.stat", "file 7\n")]);
        write(
            "a",
            &[("memory.max", "1000\n"), ("memory.current", "700\n"), ("memory.stat", "inactive_file 100\n")],
        );
        write("a/b", &[("memory.max", "max\n"), ("memory.current", "700\n")]);
        assert_eq!(group_available(root.path(), "0::/a/b\n"), Some(400));
        assert_eq!(group_available(root.path(), "0::/\n"), None);
        let first = [("memory.limit_in_bytes", "500"), ("memory.usage_in_bytes", "450")];
        write("memory/c", &first);
        write("memory", &[("memory.limit_in_bytes", "9223372036854771712"), ("memory.usage_in_bytes", "1")]);
        assert_eq!(group_available(root.path(), "5:cpu:/c\n4:memory:/c\n0::/\n"), Some(50));
        assert_eq!(group_available(root.path(), "nonsense"), None);
    }

    #[test]
    fn fields_are_found_by_their_name() {
        let text = "MemTotal:       24105 kB\nMemAvailable:   23161 kB\n";
        assert_eq!(field(text, "MemAvailable:"), Some(23161));
        assert_eq!(field(text, "MemFree:"), None);
    }
}
