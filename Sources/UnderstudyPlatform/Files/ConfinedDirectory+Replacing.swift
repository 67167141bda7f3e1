import CUnderstudyLinux
import Glibc

extension ConfinedDirectory {
    /// Replaces a file by a new one, which is written under another name and renamed. It is not synced.
    ///
    /// A child does it: this process can end even if the file system never answers.
    ///
    /// - Parameters:
    ///   - name: In this directory itself.
    ///   - temporary: The other name; what has it is removed.
    ///   - mode: The permission bits, set exactly, whatever the umask.
    /// - Throws: Also if what has the name is no regular file: EEXIST.
    package func replaceApart(
        _ name: RelativePath, by bytes: [UInt8], temporary: RelativePath, mode: UInt16
    ) throws(FileIOError) {
        let place = try Place(name, in: self), other = try Place(temporary, in: self)
        var reached: CInt = 0
        // The array and the names outlive the call, which returns when the child no longer uses them.
        let failure = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe understudy_replace_apart(
                place.directory, other.name.cString, place.name.cString, bytes.baseAddress, bytes.count, UInt32(mode),
                &reached)
        }
        guard failure != 0 else { return }
        let attempt: (words: String, path: RelativePath) =
            switch Int(reached) {
            case understudy_REMOVING: ("could not remove file", temporary)
            case understudy_CREATING: ("could not create file", temporary)
            case understudy_WRITING: ("could not write to file", temporary)
            case understudy_RENAMING: ("could not rename a file to", name)
            case understudy_LOOKING where failure == EEXIST: ("will not replace what is no regular file,", name)
            case understudy_LOOKING: ("could not stat file", name)
            default: ("could not start a process to write file", name)
            }
        throw FileIOError(attempt.words, fullPath(attempt.path), number: failure)
    }
}
