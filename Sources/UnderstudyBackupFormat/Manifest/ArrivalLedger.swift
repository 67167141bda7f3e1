/// Remembers which files have arrived, and compares them with the backup manifest that comes after them.
///
/// It keeps 24 bytes a file, and no paths: a path is known by a 64-bit hash, a checksum by another. With room for
/// growth that is under 32 bytes a file.
///
/// What that can miss: a damaged file passes if the hash of its checksum is that of the right one, by a chance of one
/// in 2^64; a missing file passes as another one that has the same hash of its path, size and checksum. (That any two
/// of a million paths share a hash has a chance of 3 in 10^8.) The hashes are keyed with a seed that is drawn at
/// random for each process, so nobody can choose paths or content that collide.
///
/// One ledger serves all writers: keep it under a lock, one `record` is short. All files must be recorded before the
/// first one is checked.
package struct ArrivalLedger: ~Copyable, Sendable {
    /// What the comparison of one file of the manifest has shown.
    package enum Outcome: Hashable, Sendable {
        /// It arrived with this size, and with this checksum where the manifest has one.
        case verified
        case missing
        case sizeDiffers(arrived: UInt64)
        /// The sizes agree. So it is also called if the file arrived without a checksum, or with another algorithm's.
        case checksumDiffers
        /// The manifest lists it for the second time.
        case listedTwice
    }

    private struct Arrival {
        var path: UInt64
        var checksum: UInt64
        /// The size in the low 62 bits, and two marks.
        var sizeAndMarks: UInt64

        static let isListed: UInt64 = 1 << 63
        static let mayBeUnlisted: UInt64 = 1 << 62
        static let marks = isListed | mayBeUnlisted

        var size: UInt64 { sizeAndMarks & ~Self.marks }
    }

    /// Arrivals by the first bits of their path's hash. Each bucket is sorted by path when `isSorted`.
    private var buckets: [[Arrival]]
    private var isSorted = true

    /// The number of files that have been recorded.
    package private(set) var count = 0

    private static let bucketBits = 10

    package init() {
        buckets = Array(repeating: [], count: 1 << Self.bucketBits)
    }

    /// Remembers a file that has arrived whole.
    ///
    /// - Parameters:
    ///   - path: As the manifest has it: with `pg_tblspc/OID/` before it for a file of a tablespace.
    ///   - size: Counts as 2^62 - 1 if it is more, which no file can have.
    package mutating func record(path: MemberPath, size: UInt64, checksum: FileChecksum?) {
        let hash = Self.hash(path)
        let marks = Self.mayBeUnlisted(path) ? Arrival.mayBeUnlisted : 0
        let arrival = Arrival(
            path: hash, checksum: Self.hash(checksum), sizeAndMarks: min(size, ~Arrival.marks) | marks)
        append(arrival, toBucket: Self.bucket(of: hash))
        count += 1
        isSorted = false
    }

    /// Compares a file of the manifest with what arrived, and marks it as listed.
    package mutating func check(_ file: ManifestFile) -> Outcome {
        if !isSorted { sort() }
        let hash = Self.hash(file.path)
        let checksum = Self.hash(file.checksum)
        let bucket = Self.bucket(of: hash)
        // Where paths share a hash, the one is taken that fits best.
        var best: (index: Int, outcome: Outcome)?
        var isListed = false
        var index = firstIndex(of: hash, inBucket: bucket)
        while index < buckets[bucket].count, buckets[bucket][index].path == hash {
            let arrival = buckets[bucket][index]
            if arrival.sizeAndMarks & Arrival.isListed != 0 {
                isListed = true
            } else if arrival.size != file.size {
                best = best ?? (index, .sizeDiffers(arrived: arrival.size))
            } else if file.checksum == nil || arrival.checksum == checksum {
                best = (index, .verified)
                break
            } else {
                best = (index, .checksumDiffers)
            }
            index += 1
        }
        guard let best else { return isListed ? .listedTwice : .missing }
        buckets[bucket][best.index].sizeAndMarks |= Arrival.isListed
        return best.outcome
    }

    /// The number of files that arrived, are not in the manifest, and should be.
    ///
    /// Not counted is what is beneath pg_wal: the server lists no WAL segments, though it does list the
    /// archive_status and history files that it sends with them.
    package var unlistedCount: Int {
        var unlisted = 0
        for bucket in buckets {
            for arrival in bucket where arrival.sizeAndMarks & Arrival.marks == 0 { unlisted += 1 }
        }
        return unlisted
    }

    /// Appends; grows by an eighth, where an array by itself would grow to the double.
    private mutating func append(_ arrival: Arrival, toBucket bucket: Int) {
        let count = buckets[bucket].count
        if count == buckets[bucket].capacity {
            buckets[bucket].reserveCapacity(count + max(4, count / 8))
        }
        buckets[bucket].append(arrival)
    }

    private mutating func sort() {
        for bucket in buckets.indices {
            buckets[bucket].sort { $0.path < $1.path }
        }
        isSorted = true
    }

    /// The first place in a sorted bucket whose path is not less than `hash`.
    private func firstIndex(of hash: UInt64, inBucket bucket: Int) -> Int {
        var low = 0
        var high = buckets[bucket].count
        while low < high {
            let middle = (low + high) / 2
            if buckets[bucket][middle].path < hash {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    private static func bucket(of hash: UInt64) -> Int {
        Int(hash >> (64 - UInt64(bucketBits)))
    }

    private static func hash(_ value: some Hashable) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(value)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    private static func mayBeUnlisted(_ path: MemberPath) -> Bool {
        path.isBeneath("pg_wal")
    }
}
