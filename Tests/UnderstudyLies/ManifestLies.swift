import Foundation
import UnderstudyTestSupport

extension Mutation {
    /// What the manifest says. Its own checksum is right, unless that is what is false.
    static let manifests: [Mutation] = [
        Mutation(8, for: { $0.order.makesCopy && $0.order.hasManifest }) { lie, random, around in
            let index = Int.random(in: 0..<lie.tale.manifest.files.count, using: &random)
            let path = lie.tale.manifest.files[index].path
            switch Int.random(in: 0..<9, using: &random) {
            case 0:
                lie.tale.manifest.files[index].size = Values.numbers.randomElement(using: &random)!
                return "the manifest says that \(path) has \(lie.tale.manifest.files[index].size) bytes"
            case 1:
                lie.tale.manifest.files[index].checksum = nil
                lie.mustFail = "a file without its checksum"
                return "the manifest has no checksum for \(path)"
            case 2:
                let algorithm = ["SHA256", "SHA224", "NONE", "crc32c", "MD5", "", "CRC32C"].randomElement(
                    using: &random)!
                let value = [
                    "", "00000000", "zz", String(repeating: "0", count: 64), String(repeating: "f", count: 10_000),
                ].randomElement(using: &random)!
                lie.tale.manifest.files[index].checksum = (algorithm, value)
                // That is the checksum of nothing.
                let isEmpty = value == "00000000" && lie.tale.manifest.files[index].size == "0"
                if !isEmpty { lie.mustFail = "a file with another checksum" }
                return "the manifest says that \(path) has \(algorithm) \(value.prefix(100))"
            case 3:
                // Another lie may have listed it twice.
                lie.tale.manifest.files.removeAll { $0.path == path }
                lie.mustFail = "a file that the manifest does not list"
                return "the manifest does not list \(path)"
            case 4:
                lie.tale.manifest.files.append(lie.tale.manifest.files[index])
                return "the manifest lists \(path) twice"
            case 5, 6:
                var file = lie.tale.manifest.files[index]
                file.path = (Values.names(around.place) + Values.texts).randomElement(using: &random)!
                file.isEncoded = one(in: 2, &random)
                lie.tale.manifest.files.append(file)
                return "the manifest lists \(file.path.prefix(200)), too"
            case 7:
                lie.tale.manifest.files[index].isEncoded = true
                return "the manifest has the path \(path) in hexadecimal"
            default:
                lie.tale.manifest.files.shuffle(using: &random)
                return "the manifest in another order"
            }
        },
        Mutation(6, for: { $0.order.makesCopy && $0.order.hasManifest }) { lie, random, _ in
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                lie.tale.manifest.version = Values.numbers.filter { $0 != "\(lie.release.manifestVersion)" }
                    .randomElement(using: &random)!
                return "manifest version \(lie.tale.manifest.version)"
            case 1:
                let value = Values.numbers.randomElement(using: &random)!
                lie.tale.manifest.systemIdentifier = value
                lie.mustFail = "the manifest of another system"
                return "the manifest's system identifier is \(value)"
            case 2:
                lie.tale.manifest.timeline = Values.timelines.filter { !["1", "1 "].contains($0) }.randomElement(
                    using: &random)!
                lie.mustFail = "the manifest of another timeline"
                return "the manifest's timeline is \(lie.tale.manifest.timeline)"
            case 3:
                lie.tale.manifest.start = Values.positions.randomElement(using: &random)!
                return "the manifest's start is \(lie.tale.manifest.start)"
            default:
                lie.tale.manifest.end = Values.positions.randomElement(using: &random)!
                return "the manifest's end is \(lie.tale.manifest.end)"
            }
        },
        // Its text, sealed again or not.
        Mutation(8, for: { $0.order.makesCopy && $0.order.hasManifest }) { lie, random, _ in
            let place = Int.random(in: 0..<1_000_000, using: &random), value = UInt8.random(in: 1...127, using: &random)
            let isSealed = one(in: 2, &random)
            let kind = Int.random(in: 0..<6, using: &random)
            let text = Values.any(&random)
            lie.tale.manifestEdits.append { manifest in
                var bytes = Array(manifest.utf8)
                let end = manifest.range(of: "\"Manifest-Checksum")?.lowerBound.utf16Offset(in: manifest) ?? bytes.count
                let at = place % (isSealed ? max(1, end) : max(1, bytes.count))
                guard !bytes.isEmpty else { return }
                switch kind {
                case 0: bytes[at] = value
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(contentsOf: text.utf8, at: at)
                case 3: bytes.removeSubrange(at..<min(bytes.count, at + Int(value)))
                case 4:
                    bytes.insert(
                        contentsOf: [UInt8](repeating: [91, 123, 92, 34, 48][place % 5], count: 20_000), at: at)
                default: bytes.swapAt(at, (at + Int(value)) % bytes.count)
                }
                manifest = String(decoding: bytes, as: UTF8.self)
                if isSealed, let line = manifest.range(of: "\"Manifest-Checksum") {
                    manifest = Manifest.sealed(String(manifest[..<line.lowerBound]))
                }
            }
            return
                "the manifest's text: \(["a byte changed", "a byte less", text, "some bytes less", "much of a sign", "bytes exchanged"][kind].prefix(200)) at \(place) (modulo)\(isSealed ? ", sealed again" : "")"
        },
        Mutation(1, for: { $0.order.makesCopy && $0.order.hasManifest && $0.isRare }) { lie, random, _ in
            let line =
                one(in: 2, &random)
                ? #"{ "Path": "base/1/ghost", "Size": 1, "Last-Modified": "2026-01-01 00:00:00 GMT" },"# + "\n"
                : String(repeating: "9", count: 100)
            let head = Array("{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n".utf8),
                piece = Array(line.utf8)
            let moment = lie.moment
            lie.tale.played.manifestPieces = {
                var said = 0
                let many = Array(repeatElement(piece, count: 300).joined())
                return AnySequence(
                    AnyIterator {
                        if said == 0 {
                            said += 1
                            return head
                        }
                        if said >= 20 << 20 { moment.come() }
                        said += many.count
                        return many
                    })
            }
            return "a manifest without end"
        },
    ]
}
