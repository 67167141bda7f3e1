import CUnderstudyCrypto

/// A digest computed by libcrypto. After a failure of the library it returns nil until it is reset.
///
/// It may move between threads: the context is reached only through `self`, which cannot be copied, so two threads
/// cannot use it at once; and libcrypto ties no context to a thread.
@safe struct LibraryDigest: ~Copyable, @unchecked Sendable {
    /// Owned by this value alone, from `init` to `deinit`.
    private let context: OpaquePointer
    private var isSound: Bool

    enum Kind: String {
        case md5 = "MD5"
        case sha224 = "SHA-224"
        case sha256 = "SHA-256"
        case sha384 = "SHA-384"
        case sha512 = "SHA-512"
    }

    init(_ kind: Kind) throws(BackupFormatError) {
        // The functions return constants of the library.
        let type =
            switch kind {
            case .md5: unsafe EVP_md5()
            case .sha224: unsafe EVP_sha224()
            case .sha256: unsafe EVP_sha256()
            case .sha384: unsafe EVP_sha384()
            case .sha512: unsafe EVP_sha512()
            }
        guard let context = unsafe EVP_MD_CTX_new() else {
            throw BackupFormatError(.digest, "out of memory")
        }
        // Both pointers are valid; the second one forever.
        guard unsafe EVP_DigestInit_ex(context, type, nil) == 1 else {
            // The context was made above and is not stored.
            unsafe EVP_MD_CTX_free(context)
            throw BackupFormatError(.digest, "libcrypto does not offer \(kind.rawValue)")
        }
        unsafe self.context = context
        isSound = true
    }

    deinit {
        // `self` is the only owner, and ends here.
        unsafe EVP_MD_CTX_free(context)
    }

    mutating func update(_ bytes: RawSpan) {
        guard isSound else { return }
        // The context lives as long as `self`; libcrypto reads the buffer during the call only.
        isSound = unsafe bytes.withUnsafeBytes { buffer in
            unsafe EVP_DigestUpdate(context, buffer.baseAddress, buffer.count) == 1
        }
    }

    /// The digest. Call only `reset` afterwards.
    mutating func finish() -> [UInt8]? {
        guard isSound else { return nil }
        isSound = false
        var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        // The array has room for libcrypto's longest digest, and `length` receives the number of bytes written.
        guard unsafe EVP_DigestFinal_ex(context, &bytes, &length) == 1 else { return nil }
        bytes.removeLast(bytes.count - Int(length))
        return bytes
    }

    mutating func reset() {
        // Without a type, the context restarts with the type that it has.
        isSound = unsafe EVP_DigestInit_ex(context, nil, nil) == 1
    }
}
