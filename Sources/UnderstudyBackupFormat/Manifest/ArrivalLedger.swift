/// Records the files that arrived, and compares them with the backup manifest that follows them.
///
/// It keeps 24 bytes per file and no paths: a path is represented by a 64-bit hash, a checksum by another. With room
/// for growth this is under 32 bytes per file.
///
/// It can miss two errors. A damaged file passes if its checksum has the same hash as the right checksum, with a
/// probability of 1 in 2^64. A missing file passes if another file has the same hash of its path, the same size and the
/// same checksum hash. (The probability that any two of a million paths share a hash is 3 in 10^8.) The hashes use a
/// seed drawn at random for each process, so nobody can choose paths or content that collide.
///
/// All writers share one ledger under a lock; one `record` is short. Record all files before checking the first one.
package struct ArrivalLedger: ~Copyable, Sendable {
    /// The result of comparing a file of the manifest.
    package enum Outcome: Hashable, Sendable {
        /// It arrived with this size and, if the manifest has one, this checksum.
        case verified
        case missing
        case sizeDiffers(arrived: UInt64)
        /// The sizes agree. Also used if the file arrived without a checksum, or with another algorithm's.
        case checksumDiffers
        /// The manifest lists the file a second time.
        case listedTwice
    }

    private struct Arrival {
        var path: UInt64
        var checksum: UInt64
        /// The size in the low 62 bits, and two flags.
        var sizeAndMarks: UInt64

        static let isListed: UInt64 = 1 << 63
        static let mayBeUnlisted: UInt64 = 1 << 62
        static let marks = isListed | mayBeUnlisted

        var size: UInt64 { sizeAndMarks & ~Self.marks }
    }

    /// Arrivals, bucketed by the first bits of the path's hash. Each bucket is sorted by path if `isSorted`.
    private var buckets: [[Arrival]]
    private var isSorted = true

    /// The number of files recorded.
    package private(set) var count = 0

    private static let bucketBits = 10

    package init() {
        buckets = Array(repeating: [], count: 1 << Self.bucketBits)
    }

    /// Records a file that arrived completely.
    ///
    /// - Parameters:
    ///   - path: The path in the manifest, with the prefix `pg_tblspc/OID/` for a file of a tablespace.
    ///   - size: Capped at 2^62 - 1, which no file reaches.
    package mutating func record(path: MemberPath, size: UInt64, checksum: FileChecksum?) {
        let hash = Self.hash(path)
        let marks = Self.mayBeUnlisted(path) ? Arrival.mayBeUnlisted : 0
        let arrival = Arrival(
            path: hash, checksum: Self.hash(checksum), sizeAndMarks: min(size, ~Arrival.marks) | marks)
        append(arrival, toBucket: Self.bucket(of: hash))
        count += 1
        isSorted = false
    }

    /// Compares a file of the manifest with the recorded files, and marks it as listed.
    package mutating func check(_ file: ManifestFile) -> Outcome {
        if !isSorted { sort() }
        let hash = Self.hash(file.path)
        let checksum = Self.hash(file.checksum)
        let bucket = Self.bucket(of: hash)
        // If several paths share a hash, the best match is taken.
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

    /// The number of files that arrived but are not in the manifest, though they should be.
    ///
    /// Files under pg_wal do not count: the server lists no WAL segments, though it does list the archive_status and
    /// history files that it sends with them.
    package var unlistedCount: Int {
        var unlisted = 0
        for bucket in buckets {
            for arrival in bucket where arrival.sizeAndMarks & Arrival.marks == 0 { unlisted += 1 }
        }
        return unlisted
    }

    /// Appends, growing by an eighth; an array by itself would double.
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

    /// The first index in a sorted bucket whose path is not less than `hash`.
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
