"""The work: claims rows, makes the paid calls, carries out what the pure rules decide."""
