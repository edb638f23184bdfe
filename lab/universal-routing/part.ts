// What each part of the experiment returns.
