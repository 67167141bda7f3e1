import Glibc

extension FileIOError {
    /// What the user can do about the error, as whole sentences.
    package var remedy: String? {
        switch number {
        case ENOSPC where lacksInodes:
            "The file system has bytes left, but no inode for a further file (df -i): remove files, or choose a place on another one."
        case ENOSPC: "Free space on the file system, or choose a place on another one."
        case EDQUOT: "The quota of the user that runs this is used up: have it raised, or choose another target."
        case EROFS:
            "The file system is mounted read-only, perhaps since an error: the kernel's log (dmesg) says so. Choose another target."
        case EIO where isOfReading: "The disk or the way to it failed: see the kernel's log (dmesg)."
        case EIO:
            "The disk or the way to it failed: see the kernel's log (dmesg). Nothing that was written there can be relied on."
        case EACCES where isOfReading, EPERM where isOfReading:
            "The user that runs this needs permission to open it, and to enter each directory on the way."
        case EACCES, EPERM: "The user that runs this needs write permission there."
        case EAGAIN where attempt == OwnThread.attempt:
            "Raise the limit on processes and threads of the user that runs this (ulimit -u) or of its container (pids.max), or that on its memory (ulimit -v)."
        case ENOMEM: "Raise the limit on memory (ulimit -v, or that of the container), or free some."
        case EFBIG where isOfReading: nil
        case EFBIG: "Raise the limit on the size of files (ulimit -f), or choose a file system that takes larger ones."
        case EXDEV:
            "Another file system is mounted there, and is left alone: unmount it, or empty and move it, then run again."
        case EPIPE: "What read it has ended before the end: its own messages say why."
        case EMFILE, ENFILE: "Raise the limit on open files (ulimit -n)."
        default: nil
        }
    }

    /// Whether nothing was to be written.
    private var isOfReading: Bool {
        ["could not open", "could not read", "could not stat"].contains { attempt.hasPrefix($0) }
    }

    /// Whether the process, its user or the machine ran out of a general resource: threads, descriptors, memory. The
    /// file is not at fault, and the shortage may pass.
    package var isShortage: Bool {
        number == EMFILE || number == ENFILE || number == ENOMEM || attempt == OwnThread.attempt
    }
}
