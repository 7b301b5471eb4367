//! File systems on which changes made by other machines raise no event here.

use std::path::Path;

/// Their numbers as `statfs` gives them (linux/magic.h and the file systems' own sources).
const NETWORK: [(u64, &str); 14] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1997, "9P"),
    (0x6573_5546, "FUSE"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x7461_636f, "OCFS2"),
    (0x2003_0528, "OrangeFS"),
];

/// The network file system that `dir` is on, if it is on one that is known.
pub(crate) fn network_file_system(dir: &Path) -> Option<&'static str> {
    name_of(rustix::fs::statfs(dir).ok()?.f_type)
}

/// The number is signed or not and 32 or 64 bits wide, depending on the machine; the lower 32 count.
fn name_of(magic: impl TryInto<i128>) -> Option<&'static str> {
    let magic = magic.try_into().ok()? & 0xffff_ffff;
    NETWORK.iter().find(|(number, _)| i128::from(*number) == magic).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_whatever_the_sign_of_their_number() {
        assert_eq!(name_of(0x6969i64), Some("NFS"));
        assert_eq!(name_of(0xff53_4d42u32.cast_signed()), Some("CIFS"));
        assert_eq!(name_of(0xff53_4d42i64), Some("CIFS"));
        assert_eq!(name_of(0xef53i64), None, "ext4");
    }

    #[test]
    fn a_directory_that_is_not_there_is_on_none() {
        assert_eq!(network_file_system(Path::new("/nonexistent/x")), None);
    }
}
