package sim

func (b *builder) oddities()  {}
func (b *builder) campaigns() {}
