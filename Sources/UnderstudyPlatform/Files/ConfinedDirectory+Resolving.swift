import CUnderstudyLinux
import Glibc

extension ConfinedDirectory {
    /// Opens `relative` beneath the directory. No component of it may be a symbolic link.
    func openBeneath(
        _ relative: RelativePath, _ flags: CInt, mode: UInt16
    ) -> Result<CInt, SystemCall.Errno> {
        let flags = flags | O_CLOEXEC
        let result = SystemCall.run {
            unsafe understudy_open_confined(rawDescriptor, relative.cString, flags, UInt32(mode))
        }
        // Some sandboxes return EPERM for an unknown call.
        if case .failure(let errno) = result, errno.number == ENOSYS || errno.number == EPERM {
            return Self.walk(from: rawDescriptor, relative, flags, mode: mode)
        }
        return result
    }

    /// Opens `relative` component by component. No component may be a symbolic link, `..` or empty.
    static func walk(
        from directory: CInt, _ relative: RelativePath, _ flags: CInt, mode: UInt16
    ) -> Result<CInt, SystemCall.Errno> {
        let components = relative.components
        if components.contains(where: { $0 == "" || $0 == ".." }) { return .failure(.init(number: EXDEV)) }
        var step: Step?
        for component in components.dropLast() {
            let next = SystemCall.run {
                unsafe understudy_openat(
                    step?.descriptor.rawValue ?? directory, component.cString,
                    understudy_O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
            }
            switch next {
            case .success(let raw): step = Step(FileDescriptor(owning: raw))
            case .failure: return next
            }
        }
        return SystemCall.run {
            unsafe understudy_openat(
                step?.descriptor.rawValue ?? directory, components[components.count - 1].cString,
                flags | O_NOFOLLOW, UInt32(mode))
        }
    }

    /// A directory on the way to the last component.
    private final class Step {
        let descriptor: FileDescriptor

        init(_ descriptor: consuming FileDescriptor) {
            self.descriptor = descriptor
        }
    }

    /// The directory that holds a path's last component, and its name there.
    struct Place {
        private let parent: ConfinedDirectory
        let name: RelativePath

        var directory: CInt { parent.rawDescriptor }

        init(_ relative: RelativePath, in root: ConfinedDirectory) throws(FileIOError) {
            let (parent, name) = relative.parentAndName
            self.parent = if let parent { try root.openDirectory(parent) } else { root }
            self.name = name
        }
    }
}
