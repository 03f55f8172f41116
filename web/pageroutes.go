package web

// addPages registers the pages.
func (s *Server) addPages() error { return nil }
