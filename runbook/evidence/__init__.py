"""Evidence of a period as one bundle, chained by hashes, and its verification (``002_… §9``)."""
