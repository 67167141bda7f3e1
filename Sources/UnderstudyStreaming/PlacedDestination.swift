package import UnderstudyPlatform

/// A destination of which is known what its calls wait for. Any other one may block for as long as it likes, so it has a
/// thread of its own while there is work.
package protocol PlacedDestination: WALDestination {
    /// The threads for its place; nil before it was opened.
    var lane: HelperLane? { get }

    /// Makes sure that it can be opened: it exists, nobody else uses it until it is closed, and it has a thread. Nothing is
    /// written.
    func reserve() throws(WALDestinationError)
}
