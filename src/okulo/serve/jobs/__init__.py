"""Jobs: many pictures handed over at once, worked off at one's own pace; nothing is lost by a kill."""
