// What each part of this experiment returns.
