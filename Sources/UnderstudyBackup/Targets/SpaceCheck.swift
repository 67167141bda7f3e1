import Glibc
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Checks that the file systems have room for what comes.
enum SpaceCheck {
    static func check(_ plans: [PlacedArchive]) throws(UnderstudyError) {
        try check(plans.map { ($0.announced.size, $0.root.path) })
    }

    /// - Parameters:
    ///   - places: How much comes into each directory, if that is known. One that is not there yet will be on the file system
    ///     of the nearest one above it.
    ///   - freed: How much will be freed in each directory before.
    static func check(
        _ places: [(size: UInt64?, path: String)], freed: [(size: UInt64, path: String)] = []
    ) throws(UnderstudyError) {
        var needed: [UInt64: (bytes: UInt64, free: UInt64, path: String)] = [:]
        for place in places {
            guard let size = place.size else { continue }
            let space = try space(at: place.path)
            let sum = (needed[space.device]?.bytes ?? 0).addingSaturated(size)
            needed[space.device] = (sum, space.bytes, place.path)
        }
        for place in freed where place.size > 0 {
            let device = try space(at: place.path).device
            needed[device]?.free.addSaturated(place.size)
        }
        for (bytes, free, path) in needed.values where bytes > free {
            throw UnderstudyError(
                .noSpace, "not enough room for the backup in \"\(path)\"",
                detail:
                    "The server estimates \(Quantity.bytes(bytes)), and \(Quantity.bytes(free)) are free on that file system, or will be.",
                hint: "Free space there, or choose a target on another file system.")
        }
    }

    private static func space(at path: String) throws(UnderstudyError) -> (device: UInt64, bytes: UInt64) {
        var path = path
        while true {
            do throws(FileIOError) { return try ConfinedDirectory(path: path).freeSpace() } catch {
                guard error.number == ENOENT, path != "/" else { throw UnderstudyError(error) }
                path = path.parentPath
            }
        }
    }
}

extension UInt64 {
    /// The sum, capped at the largest number: estimates come from a server, and must not trap.
    func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    fileprivate mutating func addSaturated(_ other: UInt64) { self = addingSaturated(other) }
}
