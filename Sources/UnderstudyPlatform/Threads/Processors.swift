import CUnderstudyLinux

/// The processors that this process may use.
package enum Processors {
    /// At least one. Containers and taskset(1) may allow fewer than there are.
    package static let count = Int(understudy_processors())
}
