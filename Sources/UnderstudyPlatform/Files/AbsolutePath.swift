import Glibc

/// The path from the root directory on, by the current directory; links are not resolved.
package func absolutePath(_ path: String) -> String {
    guard !path.isAbsolutePath else { return path }
    // getcwd allocates the string that it returns when it is given none.
    guard let current = unsafe getcwd(nil, 0) else { return path }
    defer { unsafe free(current) }
    return unsafe String(cString: current) + "/" + path
}
