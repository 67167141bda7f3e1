import CUnderstudyLinux
import Glibc

extension ConfinedDirectory {
    /// Opens `relative` beneath the directory, no component of it a symbolic link.
    func openBeneath(
        _ relative: RelativePath, _ flags: CInt, mode: UInt16
    ) -> Result<CInt, SystemCall.Errno> {
        let flags = flags | O_CLOEXEC
        let result = SystemCall.run {
            unsafe understudy_open_confined(rawDescriptor, relative.cString, flags, UInt32(mode))
        }
        // EPERM is what some sandboxes say of a call that they do not know.
        if case .failure(let errno) = result, errno.number == ENOSYS || errno.number == EPERM {
            return Self.walk(from: rawDescriptor, relative, flags, mode: mode)
        }
        return result
    }

    /// Opens `relative` component by component, none of them a symbolic link, `..` or empty.
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

    /// A directory on the way to a name.
    private final class Step {
        let descriptor: FileDescriptor

        init(_ descriptor: consuming FileDescriptor) {
            self.descriptor = descriptor
        }
    }

    /// Where a path leads: the directory that holds it, and the name in there.
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
