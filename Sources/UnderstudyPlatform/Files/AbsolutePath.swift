import Glibc

/// Makes a path absolute, relative to the current directory. Links are not resolved.
package func absolutePath(_ path: String) -> String {
    guard !path.isAbsolutePath else { return path }
    // getcwd allocates the string that it returns if the buffer is nil.
    guard let current = unsafe getcwd(nil, 0) else { return path }
    defer { unsafe free(current) }
    return unsafe String(cString: current) + "/" + path
}
