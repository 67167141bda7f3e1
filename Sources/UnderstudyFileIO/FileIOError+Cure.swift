import Glibc

extension FileIOError {
    /// What the user can do about it, as whole sentences.
    package var cure: String? {
        switch number {
        case ENOSPC where lacksInodes:
            "The file system has bytes left, but no inode for a further file (df -i): remove files, or choose a target on another one."
        case ENOSPC: "Free space on the file system, or choose a target on another one."
        case EDQUOT: "The quota of the user that runs this is used up: have it raised, or choose another target."
        case EROFS:
            "The file system is mounted read-only, perhaps since an error: the kernel's log (dmesg) says so. Choose another target."
        case EIO:
            "The disk or the way to it failed: see the kernel's log (dmesg). Nothing that was written there can be relied on."
        case EACCES, EPERM: "The user that runs this needs write permission there."
        case EMFILE, ENFILE: "Raise the limit on open files (ulimit -n)."
        default: nil
        }
    }
}
