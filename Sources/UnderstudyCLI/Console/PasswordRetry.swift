import Understudy

extension PasswordPolicy {
    /// Runs `attempt`: with a password asked for in advance (`-W`), or without one and, if the server wants one, again
    /// with it.
    ///
    /// - Parameter ask: Returns nil if there is nobody to ask.
    func run<Result>(
        ask: () async throws(UnderstudyError) -> String?,
        attempt: (_ password: String?) async throws(UnderstudyError) -> Result
    ) async throws(UnderstudyError) -> Result {
        if self == .always { return try await attempt(try await ask()) }
        do throws(UnderstudyError) {
            return try await attempt(nil)
        } catch {
            guard error.code == .passwordNeeded, self == .onDemand, let password = try await ask() else { throw error }
            return try await attempt(password)
        }
    }
}
